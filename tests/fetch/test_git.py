"""Code from git repositories: what comes, and what each mistake is called."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from daskjob.fetch import git_process
from daskjob.fetch.fetch_problem import FetchProblem
from daskjob.fetch.repository import Repository
from daskjob.fetch.source_secret import Credentials

from .conftest import Fetch
from .git_server import PASSWORD, USER, GitServer, commit, git, new_repository

MISSING = "0123456789" * 4


@pytest.fixture
def repository(server: GitServer) -> Path:
    return new_repository(server.root, "code", {"jobs/main.py": "x = 1\n", "lib.py": ""})


def of(server: GitServer, path: str = "code", **more: Any) -> dict[str, Any]:
    return {"url": f"{server.url}/{path}", "revision": "main", **more}


def test_a_branch_is_fetched_without_its_history(fetch: Fetch, server: GitServer, repository: Path) -> None:
    last = commit(repository, {"lib.py": "y = 2\n"})
    found = fetch(of(server))
    assert (found.reason, found.commit) == ("", last)
    assert found.text("lib.py") == "y = 2\n"
    assert found.text("jobs/main.py") == "x = 1\n"
    assert not (found.target / ".git").exists()


def test_the_commit_is_found_first_and_stays_the_same(fetch: Fetch, server: GitServer, repository: Path) -> None:
    """The branch moves between the pod that finds the commit and those that fetch it; the history may be rewritten."""
    found = fetch(of(server), target=None)
    assert not found.target.exists()
    (repository / "lib.py").unlink()
    git(repository, "commit", "--quiet", "--all", "--amend", "--message", "rewritten")
    assert fetch(of(server)).commit != found.commit
    pinned = fetch(of(server), commit=found.commit)
    assert (pinned.reason, pinned.commit) == ("", found.commit)
    assert pinned.text("lib.py") == ""


@pytest.mark.parametrize("revision", ["HEAD", "refs/heads/main", "v1", "noted", "refs/tags/noted"])
def test_names_of_a_commit(fetch: Fetch, server: GitServer, repository: Path, revision: str) -> None:
    git(repository, "tag", "v1")
    git(repository, "tag", "--annotate", "noted", "--message", "n")
    assert fetch(of(server, revision=revision)).commit == git(repository, "rev-parse", "HEAD")


def test_a_container_that_starts_anew_begins_with_nothing(fetch: Fetch, server: GitServer, repository: Path) -> None:
    found = fetch(of(server))
    (found.target / "left.py").write_text("")
    assert fetch(of(server)).reason == ""
    assert not (found.target / "left.py").exists()


def test_redirects_are_followed(fetch: Fetch, server: GitServer, repository: Path) -> None:
    assert fetch(of(server, "moved/code")).reason == ""


def test_credentials_are_used_and_told_nobody(fetch: Fetch, server: GitServer, repository: Path) -> None:
    secret = {"username": f"{USER}\n", "password": f"{PASSWORD}\n"}
    found = fetch(of(server, "private/code"), secret=secret)
    assert found.reason == ""
    assert PASSWORD not in found.printed
    work = found.target.parent / "work"
    assert list(work.iterdir()) == []


def test_submodules(fetch: Fetch, server: GitServer, repository: Path) -> None:
    new_repository(server.root, "inner", {"deep.py": "z = 3\n"})
    new_repository(server.root, "outer", {"part.py": ""})
    git(server.root / "outer", "submodule", "--quiet", "add", f"{server.url}/inner", "inner")
    commit(server.root / "outer", {})
    git(repository, "submodule", "--quiet", "add", "../outer", "outer")
    commit(repository, {})
    git(repository, "config", "-f", ".gitmodules", "submodule.outer.url", "../outer")
    found = fetch(of(server))
    assert list((found.target / "outer").iterdir()) == []
    found = fetch(of(server, submodules=True))
    assert found.reason == "", found.message
    assert found.text("outer/inner/deep.py") == "z = 3\n"
    assert list(found.target.rglob(".git")) == []


def test_a_submodule_of_a_forbidden_kind_is_refused(fetch: Fetch, server: GitServer, repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    for url in ("ext::sh -c id", "file:///etc", "../../169.254.169.254/x", "http://169.254.169.254/x", "-ufoo"):
        (repository / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = {url}\n')
        git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},s")
        git(repository, "add", ".gitmodules")
        git(repository, "commit", "--quiet", "--message", url)
        found = fetch(of(server, submodules=True))
        assert found.reason in ("SourceRefused", "SourceNotFound"), (url, found.message)
        assert "submodules: s" in found.message or "url" in found.message


@pytest.mark.parametrize(
    ("path", "more", "reason", "words"),
    [
        ("none", {}, "SourceNotFound", "the server has nothing there (404)"),
        ("code", {"revision": "mian"}, "RevisionNotFound", "no branch or tag 'mian'"),
        ("code", {"revision": "0123abc"}, "RevisionNotFound", "all its 40 digits"),
        ("code", {"revision": MISSING}, "RevisionNotFound", f"no commit {MISSING}"),
        ("code", {"sub_path": "job"}, "SourceNotFound", "has no folder 'job'; it has: jobs, lib.py"),
        ("code", {"sub_path": "../x"}, "SourceRefused", "without '..'"),
        ("code", {"sub_path": "/etc"}, "SourceRefused", "relative path"),
        ("private/code", {}, "SourceForbidden", "name a Secret with username and password"),
        ("forbidden/code", {}, "SourceForbidden", "forbids it (403)"),
        ("metadata/code", {}, "SourceRefused", "169.254.169.254"),
        ("mapped/code", {}, "SourceRefused", "169.254.169.254"),
        ("local/code", {}, "SourceRefused", "not file"),
        ("round/code", {}, "SourceRefused", "redirected more than 5 times"),
        ("busy/code", {}, "SourceUnreachable", "answers 503"),
        ("silent/code", {}, "SourceTimedOut", "spec.startupDeadlineSeconds"),
        ("dripping/code", {}, "SourceTimedOut", "spec.startupDeadlineSeconds"),
        ("stalling/code", {}, "SourceTimedOut", "git fetch was not done in time; it may take 3 s, which grow with"),
    ],
)
def test_mistakes(
    fetch: Fetch, server: GitServer, repository: Path, path: str, more: dict[str, Any], reason: str, words: str
) -> None:
    # Who waits until the time is over; one that stalls only later is asked for nothing before.
    waits = reason in ("SourceUnreachable", "SourceTimedOut")
    known = {"commit": git(repository, "rev-parse", "HEAD")} if path.startswith("stalling") else {}
    found = fetch(of(server, path, **more), seconds=(3 if known else 2) if waits else 30, **known)
    assert found.reason == reason, found.message
    assert words in found.message
    assert found.message.startswith("spec.graph.source.git") or reason == "SourceTimedOut"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ext::sh -c touch% /tmp/x", "is no URL"),
        ("ext::touch", "only https://, http://, ssh:// are taken, not ext"),
        ("file:///etc", "only https://"),
        ("git://host/x", "only https://"),
        ("git@host:team/repo", "only https://"),
        ("--upload-pack=id", "is no URL"),
        ("http://-oProxyCommand=id/x", "is no host"),
        ("ssh://-oProxyCommand=id/x", "is no host"),
        ("ssh://-oProxyCommand=id@host/x", "user or password"),
        ("https://user:hidden-word@host/x", "put them into a Secret"),
        ("http://169.254.169.254/x", "link-local"),
        ("http://[fe80::1]/x", "link-local"),
        ("http://[::ffff:a9fe:a9fe]/x", "link-local"),
        ("http://[64:ff9b::a9fe:a9fe]/x", "link-local"),
        ("http://2852039166/x", "link-local"),
        ("http://0.0.0.0/x", "link-local"),
    ],
)
def test_urls_that_are_refused(fetch: Fetch, url: str, words: str) -> None:
    found = fetch({"url": url})
    assert found.reason == "SourceRefused", found.message
    assert words in found.message
    assert "hidden-word" not in found.message + found.printed


def test_a_server_that_stalls_while_it_sends_the_files(
    server: GitServer, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the time is over, so that another try may find it well."""
    monkeypatch.setattr(git_process, "SPEED_SECONDS", 1)
    target, work = tmp_path / "target", tmp_path / "work"
    for folder in (target, work):
        folder.mkdir()
    source = Repository(f"{server.url}/stalling/code", "main")
    head, until = git(repository, "rev-parse", "HEAD"), time.monotonic() + 60
    with pytest.raises(FetchProblem) as caught:
        source.fetch(head, str(target), str(work), Credentials(), until)
    assert caught.value.reason == "SourceTimedOut", caught.value
    assert "spec.graph.source.git.url: git: " in caught.value.message
    assert "Less than 1000 bytes/sec transferred" in caught.value.message


def test_nobody_listens(fetch: Fetch) -> None:
    found = fetch({"url": "http://127.0.0.1:1/x"}, seconds=2)
    assert found.reason == "SourceUnreachable"
    assert "127.0.0.1 cannot be reached" in found.message
    assert "trying again" in found.printed


def test_wrong_credentials(fetch: Fetch, server: GitServer, repository: Path) -> None:
    found = fetch(of(server, "private/code"), secret={"password": "wr0ng-one"})
    assert found.reason == "SourceForbidden"
    assert "look at username and password in Secret mine" in found.message
    assert "wr0ng-one" not in found.message + found.printed


def test_a_secret_without_any_of_the_keys(fetch: Fetch, server: GitServer, repository: Path) -> None:
    found = fetch(of(server), secret={"token": "x"})
    assert found.reason == "SourceForbidden"
    assert "Secret mine has none of the keys username, password" in found.message


def test_a_branch_and_a_tag_of_one_name(fetch: Fetch, server: GitServer, repository: Path) -> None:
    git(repository, "tag", "main")
    commit(repository, {"lib.py": "changed"})
    found = fetch(of(server))
    assert found.reason == "RevisionNotFound"
    assert "write refs/heads/main or refs/tags/main" in found.message


def test_an_image_without_git(fetch: Fetch, server: GitServer, repository: Path, tmp_path: Path) -> None:
    found = fetch(of(server), path=str(tmp_path))
    assert found.reason == "GitMissing"
    assert "the image has no git" in found.message


def test_a_pointer_of_lfs(fetch: Fetch, server: GitServer, repository: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"
    commit(repository, {"data/table.bin": pointer})
    found = fetch(of(server))
    assert found.reason == "SourceRefused"
    assert "data/table.bin is a pointer of Git LFS" in found.message
    assert fetch(of(server, sub_path="jobs")).reason == ""


def test_a_sub_folder_that_is_a_link_elsewhere(fetch: Fetch, server: GitServer, repository: Path) -> None:
    (repository / "away").symlink_to("/etc")
    commit(repository, {})
    found = fetch(of(server, sub_path="away"))
    assert found.reason == "SourceRefused"
    assert "leads elsewhere" in found.message


def test_hooks_and_filters_of_a_repository_do_not_run(fetch: Fetch, server: GitServer, repository: Path) -> None:
    mark = server.root / "ran"
    commit(repository, {".gitattributes": "*.py filter=evil\n", ".githooks/post-checkout": f"touch {mark}\n"})
    hook = repository / ".githooks/post-checkout"
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    commit(repository, {})
    assert fetch(of(server)).reason == ""
    assert not os.path.exists(mark)


def test_an_ssh_server_whose_key_nobody_knows(fetch: Fetch) -> None:
    """ssh asks nobody whether it may go on; without a server it says that first."""
    found = fetch({"url": "ssh://git@127.0.0.1:1/x"}, secret={"ssh-privatekey": "k"}, seconds=2)
    assert found.reason in ("SourceUnreachable", "GitMissing")
