"""Installs packages into a folder by the image's own pip, without touching what Dask consists of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from typing import Dict, List, Optional, Sequence

from daskjob.fetch.addresses import PORTS, WEB_SCHEMES, addresses_of, check_url
from daskjob.fetch.fetch_problem import PIP_FAILED, TIMED_OUT, FetchProblem
from daskjob.fetch.source_secret import AUTHORITY, PASSWORD, Credentials

FIELD = "spec.graph.pip"
#: What all processes of a Dask cluster must have alike: the image's own versions stay.
KEPT = ("dask", "distributed", "dask-expr", "msgpack", "cloudpickle", "tornado", "toolz")
#: Lines and characters of pip's last words in a message.
LINES, WORDS = 6, 700


@dataclass(frozen=True)
class Packages:
    """What is wanted. `packages`: requirements, such as `requests>=2`; `index`: URL of a package index, empty: the one
    that the image's pip knows."""

    packages: Sequence[str]
    index: str = ""
    kept: Sequence[str] = field(default=KEPT)

    def install(self, target: str, work: str, credentials: Credentials, until: float) -> str:
        """Installs them, and what they need and the image has not, into a folder, which is empty. Returns what was
        installed, in words. Raises FetchProblem."""
        options = self._index(work, credentials)
        constraints = os.path.join(work, "constraints.txt")
        with open(constraints, "w") as file:
            file.writelines(f"{each}\n" for each in _pinned(self.kept))
        report = os.path.join(work, "report.json")
        options += ["--constraint", constraints, "--no-input", "--disable-pip-version-check"]
        # First what is missing: an installation into a folder would bring all that the image has once more.
        self._pip(["--dry-run", "--report", report, *options, "--", *self.packages], work, credentials, until)
        with open(report, encoding="utf-8") as file:
            found = [each["metadata"] for each in json.load(file)["install"]]
        missing = [f"{each['name']}=={each['version']}" for each in found]
        if missing:
            self._pip(["--no-deps", "--target", target, *options, "--", *missing], work, credentials, until)
        return " ".join(missing) or "nothing was missing"

    def _index(self, work: str, credentials: Credentials) -> List[str]:
        """Options of pip. Credentials go into a file of its HTTP library, and into no URL."""
        if not self.index:
            return []
        parts = check_url(self.index, f"{FIELD}.indexUrl", WEB_SCHEMES)
        addresses_of(parts.hostname or "", parts.port or PORTS[parts.scheme], f"{FIELD}.indexUrl")
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

    def _pip(self, arguments: Sequence[str], work: str, credentials: Credentials, until: float) -> None:
        elsewhere = ("PIP_TARGET", "PIP_USER", "PIP_PREFIX")
        environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
        environment.update(HOME=work, NETRC=os.path.join(work, ".netrc"), PIP_CACHE_DIR=os.path.join(work, "cache"))
        command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=max(1.0, until - time.monotonic()),
            )
        except subprocess.TimeoutExpired:
            raise FetchProblem(TIMED_OUT, f"{FIELD}: pip was not done in time") from None
        if done.returncode:
            output = done.stdout.decode(errors="replace")
            raise FetchProblem(PIP_FAILED, self._words(credentials.without_secrets(output)))

    def _words(self, output: str) -> str:
        if "No module named pip" in output:
            return f"{FIELD}: the image has no pip: install it there, or the packages themselves"
        if "no such option: --report" in output or "no such option: --dry-run" in output:
            return f"{FIELD}: the image's pip is too old: 22.2 or newer is needed"
        lines = [each.strip() for each in output.splitlines() if each.strip() and not each.startswith("[notice]")]
        kept = ", ".join(_pinned(self.kept))
        hint = f"; the image's own stay as they are: {kept}" if "ResolutionImpossible" in output else ""
        return f"{FIELD}: pip: {' | '.join(lines[-LINES:])[-WORDS:]}{hint}"


def _pinned(names: Sequence[str]) -> List[str]:
    """The image's versions of these packages, as far as it has them."""
    found: Dict[str, Optional[str]] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return [f"{name}=={version}" for name, version in found.items()]
