"""Fetches one commit of a git repository, with its submodules if they are wanted."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from daskjob.fetch.addresses import GIT_SCHEMES, PORTS, WEB_SCHEMES, addresses_of, check_url
from daskjob.fetch.fetch_problem import FORBIDDEN, NOT_FOUND, REFUSED, REVISION_NOT_FOUND, FetchProblem
from daskjob.fetch.git_process import Git, lines_of, settings
from daskjob.fetch.git_words import is_commit
from daskjob.fetch.source_secret import Credentials
from daskjob.fetch.sub_folders import folder_in, same_tree
from daskjob.fetch.web import get

FIELD = "spec.graph.source.git"
#: How deep submodules may lie in one another, and how many there may be.
DEEPEST, MOST_SUBMODULES = 5, 100
LFS = b"version https://git-lfs.github.com/spec/"
_SHORT = re.compile(r"[0-9a-f]{7,39}")
_SERVICE = "/info/refs?service=git-upload-pack"


@dataclass(frozen=True)
class Repository:
    """What is wanted. `revision`: a branch, a tag, a full reference, or a commit; `sub_path`: the folder that is first
    on the path; `own`: a local run, in which the user's own configuration of git counts."""

    url: str
    revision: str = "HEAD"
    sub_path: str = ""
    submodules: bool = False
    own: bool = False

    def resolve(self, work: str, credentials: Credentials, until: float) -> str:
        """The commit that the revision names now. Raises FetchProblem."""
        git, url = self._git(work, work, credentials, until)
        wanted = self.revision
        if is_commit(wanted):
            return wanted
        whole = wanted == "HEAD" or wanted.startswith("refs/")
        names = [wanted] if whole else [f"refs/{each}/{wanted}" for each in ("heads", "tags")]
        found: dict[str, str] = {
            name: commit
            for commit, name in lines_of(git.run("ls-remote", "--", url, *names, *(f"{each}^{{}}" for each in names)))
        }
        # Of a tag with a message, the second line has the commit.
        commits = {name: found.get(f"{name}^{{}}", found.get(name)) for name in names if name in found}
        if len({*commits.values()}) > 1:
            raise FetchProblem(
                REVISION_NOT_FOUND,
                f"{FIELD}.revision: {wanted!r} is a branch and a tag: write {names[0]} or {names[1]}",
            )
        commit = next(iter(commits.values()), None)
        if not commit or not is_commit(commit):
            raise FetchProblem(REVISION_NOT_FOUND, f"{FIELD}.revision: {self._unknown(wanted)}")
        return commit

    def _unknown(self, wanted: str) -> str:
        if wanted == "HEAD":
            return "the repository has no commit on its default branch: push one, or name a revision"
        if _SHORT.fullmatch(wanted):
            return f"the repository has no branch or tag {wanted!r}: write a commit with all its 40 digits"
        return f"the repository has no branch or tag {wanted!r}: correct it, or push it"

    def fetch(self, commit: str, target: str, work: str, credentials: Credentials, until: float) -> str:
        """Brings the files of a commit into a folder, which is empty. Returns the folder for the path. Raises
        FetchProblem."""
        same_tree(target, self.sub_path, f"{FIELD}.subPath")
        git, url = self._git(target, work, credentials, until)
        git.run("init", "--quiet", target)
        git.run("remote", "add", "origin", url, folder=target)
        code, _, words = git.attempt("fetch", "--quiet", "--depth=1", "--no-tags", "origin", commit, folder=target)
        if code:
            # Not every server gives a commit by its name: then all branches and tags, with their history.
            if not re.search(r"not our ref|unadvertised object|remote ref|no such ref|upload-pack", words):
                raise git.problem(words)
            wanted = (f"+refs/{each}/*:refs/remotes/{each}/*" for each in ("heads", "tags"))
            git.run("fetch", "--quiet", "--no-tags", "origin", *wanted, folder=target)
        if git.attempt("cat-file", "-e", f"{commit}^{{commit}}", folder=target)[0]:
            raise FetchProblem(
                REVISION_NOT_FOUND,
                f"{FIELD}.revision: the repository has no commit {commit} (any more): correct it, or push it",
            )
        git.run("checkout", "--quiet", "--force", "--detach", commit, folder=target)
        if git.run("rev-parse", "HEAD", folder=target).strip() != commit:
            raise FetchProblem(REVISION_NOT_FOUND, f"{FIELD}.revision: {commit} is an object, and no commit")
        if self.submodules:
            self._fetch_submodules(git, target, url, 1, [MOST_SUBMODULES])
        git.check_size()
        shutil.rmtree(os.path.join(target, ".git"), ignore_errors=True)
        folder = folder_in(target, self.sub_path, f"{FIELD}.subPath", "the repository")
        _refuse_pointers(folder)
        return folder

    def _fetch_submodules(self, git: Git, folder: str, url: str, depth: int, left: list[int]) -> None:
        modules = os.path.join(folder, ".gitmodules")
        if not os.path.lexists(modules):
            return
        if depth > DEEPEST:
            raise FetchProblem(REFUSED, f"{FIELD}.submodules: they lie more than {DEEPEST} deep in one another")
        if os.path.islink(modules):
            raise FetchProblem(REFUSED, f"{FIELD}.submodules: .gitmodules is a link: make it a file")
        wanted = ("--get-regexp", r"^submodule\..*\.(path|url)$")
        code, listing, words = git.attempt("config", "--null", "--file", modules, *wanted, folder=folder)
        if code > 1:
            raise FetchProblem(REFUSED, f"{FIELD}.submodules: .gitmodules cannot be read: {words.strip()[-200:]}")
        found: dict[str, dict[str, str]] = {}
        for line in listing.split("\0"):
            key, _, value = line.partition("\n")
            name, _, kind = key.removeprefix("submodule.").rpartition(".")
            found.setdefault(name, {})[kind] = value
        for name, each in found.items():
            path, place = each.get("path", ""), each.get("url", "")
            if not path:
                continue
            left[0] -= 1
            if left[0] < 0:
                raise FetchProblem(REFUSED, f"{FIELD}.submodules: there are more than {MOST_SUBMODULES}")
            field = f"{FIELD}.submodules: {path}"
            full = _below(url, place) if place.startswith(("./", "../")) else place
            parts = check_url(full, field, GIT_SCHEMES)
            addresses_of(parts.hostname or "", parts.port or PORTS[parts.scheme], field)
            own = same_tree(folder, path, field)
            # What was looked at, and not what git would make of it: its relative URLs may lead to another host.
            git.run("config", f"submodule.{name}.url", full, folder=folder)
            git.run("submodule", "update", "--quiet", "--init", "--depth=1", "--", path, folder=folder)
            self._fetch_submodules(git, own, full, depth + 1, left)
            git_file = os.path.join(own, ".git")
            if os.path.isfile(git_file):
                os.unlink(git_file)

    def _git(self, folder: str, work: str, credentials: Credentials, until: float) -> tuple[Git, str]:
        field = f"{FIELD}.url"
        parts, resolved, url = check_url(self.url, field, GIT_SCHEMES), "", self.url
        port = parts.port or PORTS[parts.scheme]
        if parts.scheme in WEB_SCHEMES:
            answer = self._preflight(credentials, until)
            if answer is not None:
                url, addresses = answer
                parts = urlsplit(url)
                port = parts.port or PORTS[parts.scheme]
                listed = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
                resolved = f"{parts.hostname}:{port}:{listed}" if addresses else ""
        else:
            addresses_of(parts.hostname or "", port, field)
        environment = settings(work, url, credentials, resolved, self.own)
        return Git(environment, folder, credentials, field, until), url

    def _preflight(self, credentials: Credentials, until: float) -> tuple[str, list[str]] | None:
        """Asks the server as git will, and follows its redirects, each of which is looked at. Returns the repository's
        URL, where nothing redirects any more, and the addresses of its host; None: git is to ask by itself."""
        url = self.url.rstrip("/")
        try:
            answer = get(f"{url}{_SERVICE}", f"{FIELD}.url", credentials, until)
        except FetchProblem as problem:
            if self.own and problem.reason in (FORBIDDEN, NOT_FOUND):
                return None
            raise
        answer.close()
        if not answer.url.endswith(_SERVICE) or not answer.type.startswith("application/x-git-upload-pack"):
            raise FetchProblem(NOT_FOUND, f"{FIELD}.url: what the server has there is no git repository: correct it")
        return answer.url[: -len(_SERVICE)], answer.addresses


def _below(url: str, place: str) -> str:
    """A relative URL of a submodule, seen from its repository's, of any scheme. It stays on that server."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=posixpath.normpath(posixpath.join(parts.path or "/", place))))


def _refuse_pointers(folder: str) -> None:
    """Raises FetchProblem for a file of which Git LFS has the content: it would not be what the code expects."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path) or os.path.getsize(path) > 1024:
                continue
            with open(path, "rb") as file:
                pointer = file.read(len(LFS)) == LFS
            if pointer:
                raise FetchProblem(
                    REFUSED,
                    f"{FIELD}: {os.path.relpath(path, folder)} is a pointer of Git LFS, whose contents are not "
                    "fetched: keep it in git itself or in an object store, or choose a subPath without it",
                )
