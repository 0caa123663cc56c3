"""Installs packages into a folder by the image's own pip, without touching what Dask consists of."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import urllib.request
from dataclasses import dataclass, field
from importlib import metadata
from typing import Callable, Dict, Iterator, List, Optional, Sequence

from daskjob.fetch.addresses import WEB_SCHEMES, check_url
from daskjob.fetch.bounded_process import run_bounded, size_of
from daskjob.fetch.checked_proxy import CheckedProxy
from daskjob.fetch.fetch_limits import MOST_BYTES
from daskjob.fetch.fetch_problem import FORBIDDEN, NOT_FOUND, PIP_FAILED, REFUSED, FetchProblem
from daskjob.fetch.source_secret import AUTHORITY, PASSWORD, Credentials
from daskjob.fetch.web import get
from daskjob.results.opened_store import image_word

FIELD = "spec.graph.pip"
#: What all processes of a Dask cluster must have alike: the image's own versions stay. With the modules of each.
KEPT: Dict[str, Sequence[str]] = {
    "dask": ("dask",),
    "distributed": ("distributed",),
    "dask-expr": ("dask_expr",),
    "msgpack": ("msgpack",),
    "cloudpickle": ("cloudpickle",),
    "tornado": ("tornado",),
    "toolz": ("toolz", "tlz"),
}
#: Lines and characters of pip's last words in a message.
LINES, WORDS = 6, 700
#: What stands between a requirement and each of its hashes.
_HASH = re.compile(r" +--hash=")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Packages:
    """What is wanted. `packages`: requirements, such as `requests>=2`, which may have hashes as in a requirements file
    (`requests==2.32.3 --hash=sha256:...`); `index`: URL of a package index, empty: the one that the image's pip
    knows."""

    packages: Sequence[str]
    index: str = ""
    kept: Sequence[str] = field(default=tuple(KEPT))

    def install(self, target: str, work: str, credentials: Credentials, until: float) -> str:
        """Installs them, and what they need and the image has not, into a folder, which is empty. Returns what was
        installed, in words. Raises FetchProblem."""
        options = self._index(work, credentials, until)
        constraints = os.path.join(work, "constraints.txt")
        _write(constraints, _pinned(self.kept))
        report = os.path.join(work, "report.json")
        options += ["--constraint", constraints, "--no-input", "--disable-pip-version-check"]
        # In a file, because pip takes hashes from nothing else.
        wanted, chosen = os.path.join(work, "wanted.txt"), os.path.join(work, "chosen.txt")
        _write(wanted, self.packages)
        with self._environment(work) as (environment, check):

            def pip(*arguments: str) -> None:
                command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments, *options]
                late = f"{FIELD}: pip was not done in time"
                code, output, words = run_bounded(command, environment, until, lambda: check(target), late)
                check(target)
                if code:
                    raise self._problem(credentials.without_secrets(output + words), credentials)

            # First what is missing: an installation into a folder would bring all that the image has once more.
            pip("--dry-run", "--report", report, "-r", wanted)
            with open(report, encoding="utf-8") as file:
                found = [each["metadata"] for each in json.load(file)["install"]]
            missing = [f"{each['name']}=={each['version']}" for each in found]
            if missing:
                hashes = self._hashes()
                _write(chosen, (each + hashes.get(_canonical(each), "") for each in missing))
                pip("--no-deps", "--target", target, "-r", chosen)
                self._check_modules(target)
        return " ".join(missing) or "nothing was missing"

    def _hashes(self) -> Dict[str, str]:
        """The options with the hashes of each package that has some, by its name."""
        split = [_HASH.split(each) for each in self.packages]
        return {_canonical(each[0]): "".join(f" --hash={one}" for one in each[1:]) for each in split}

    def _index(self, work: str, credentials: Credentials, until: float) -> List[str]:
        """Options of pip. Credentials go into a file of its HTTP library, and into no URL."""
        if not self.index:
            return []
        parts = check_url(self.index, f"{FIELD}.indexUrl", WEB_SCHEMES)
        # pip passes over an index that refuses, or that cannot be reached, and says that there is no such package.
        with contextlib.suppress(_NoSuchPackage):
            self._ask(f"{self.index.rstrip('/')}/{_canonical(self.packages[0])}/", credentials, until)
        if PASSWORD in credentials:
            if " " in credentials.user + credentials.values[PASSWORD]:
                raise FetchProblem(PIP_FAILED, f"Secret {credentials.secret}: username and password may have no blanks")
            with open(os.open(os.path.join(work, ".netrc"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                name, password = credentials.user, credentials.values[PASSWORD]
                file.write(f"machine {parts.hostname} login {name} password {password}\n")
        # A server in the cluster has no certificate; over https, one is asked for.
        plain = ["--trusted-host", parts.hostname or ""] if parts.scheme == "http" else []
        authority = ["--cert", credentials.path(AUTHORITY)] if AUTHORITY in credentials else []
        return ["--index-url", self.index, *plain, *authority]

    def _ask(self, url: str, credentials: Credentials, until: float) -> None:
        try:
            get(url, f"{FIELD}.indexUrl", credentials, until).close()
        except FetchProblem as problem:
            raise _NoSuchPackage(*problem.args) if problem.reason == NOT_FOUND else problem from None

    @contextlib.contextmanager
    def _environment(self, work: str) -> "Iterator[tuple[Dict[str, str], Callable[[str], None]]]":
        """The environment of pip, and what looks whether it may go on, by the folder of the packages. What comes from
        an index of the spec goes through a proxy of our own, which knows where redirects and links lead."""
        elsewhere = ("PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_REQUIREMENT")
        environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
        environment.update(HOME=work, NETRC=os.path.join(work, ".netrc"), PIP_CACHE_DIR=os.path.join(work, "cache"))
        environment.update(TMPDIR=work)

        def check_size(target: str) -> None:
            if size_of(work) + size_of(target) > MOST_BYTES:
                raise FetchProblem(
                    REFUSED, f"{FIELD}: the packages take more than {MOST_BYTES >> 30} GiB: use an image"
                )

        if not self.index or urllib.request.getproxies():
            yield environment, check_size
            return
        with CheckedProxy(f"{FIELD}.indexUrl") as proxy:
            environment.update(dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), proxy.url))

            def check(target: str) -> None:
                proxy.check()
                check_size(target)

            yield environment, check

    def _check_modules(self, target: str) -> None:
        """Raises FetchProblem for a package that has modules of Dask's: it would take their place."""
        there = {each.partition(".")[0] for each in os.listdir(target)}
        kept = [each.partition("==")[0] for each in _pinned(self.kept)]
        module = next((each for name in kept for each in KEPT.get(name, ()) if each in there), None)
        if module is not None:
            raise FetchProblem(
                PIP_FAILED,
                f"{FIELD}: {_owner(target, module)} has a module {module}, which would take the place of that of "
                f"{image_word()}: leave that package out",
            )

    def _problem(self, output: str, credentials: Credentials) -> FetchProblem:
        if "No module named pip" in output:
            return FetchProblem(PIP_FAILED, f"{FIELD}: {image_word()} has no pip: install it there, or the packages")
        if "no such option: --report" in output or "no such option: --dry-run" in output:
            return FetchProblem(PIP_FAILED, f"{FIELD}: the pip of {image_word()} is too old: 22.2 or newer is needed")
        lines = [each.strip() for each in output.splitlines() if each.strip() and not each.startswith("[notice]")]
        words = f"{FIELD}: pip: {' | '.join(lines[-LINES:])[-WORDS:]}"
        if re.search(r"\b40[13] (Client )?Error", output):
            return FetchProblem(FORBIDDEN, f"{words}; {credentials.named}")
        if "ResolutionImpossible" in output:
            words += f"; those that {image_word()} has stay as they are: {', '.join(_pinned(self.kept))}"
        elif "require-hashes" in output.lower() or "require hashes" in output.lower():
            words += "; once a package has a hash, all that are installed need an exact version and a hash, also those "
            words += "that it needs"
        return FetchProblem(PIP_FAILED, words)


class _NoSuchPackage(Exception):
    """The index does not have the package: pip says it."""


def _canonical(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0] if found else requirement).lower()


def _write(path: str, lines: "Iterator[str] | Sequence[str]") -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{each}\n" for each in lines)


def _owner(target: str, module: str) -> str:
    """The installed package that has a module."""
    for name in sorted(os.listdir(target)):
        try:
            with open(os.path.join(target, name, "RECORD"), encoding="utf-8") as file:
                if any(line.startswith((f"{module}/", f"{module}.")) for line in file):
                    return name.rpartition(".")[0]
        except OSError:
            continue
    return "a package"


def _pinned(names: Sequence[str]) -> List[str]:
    """The image's versions of these packages, as far as it has them."""
    found: Dict[str, Optional[str]] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return [f"{name}=={version}" for name, version in found.items()]
