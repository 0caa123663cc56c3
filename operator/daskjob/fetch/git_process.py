"""Runs git, with settings of its own and none of the image's, within limits of time and size."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

from daskjob.fetch.fetch_limits import MOST_BYTES
from daskjob.fetch.fetch_problem import (
    FORBIDDEN,
    GIT_MISSING,
    NOT_FOUND,
    REFUSED,
    TIMED_OUT,
    UNREACHABLE,
    FetchProblem,
)
from daskjob.fetch.source_secret import AUTHORITY, KNOWN_HOSTS, PASSWORD, SSH_KEY, Credentials

#: Seconds between two looks at how large it is.
LOOK = 1.0
#: A server that sends fewer bytes a second for so many seconds is too slow.
LEAST_SPEED, SPEED_SECONDS = 1000, 30
#: Characters of git's last words in a message.
WORDS = 400
#: What git and ssh print, in the C locale, by what it means.
_MEANINGS = (
    (r"Could not resolve host|Name or service not known|Temporary failure in name resolution", UNREACHABLE),
    (r"Host key verification failed|REMOTE HOST IDENTIFICATION|[Nn]o .* host key is known", FORBIDDEN),
    (r"Permission denied|Authentication failed|could not read Username|terminal prompts disabled", FORBIDDEN),
    (r"returned error: 40[13]|access denied|Access denied|not authori[sz]ed", FORBIDDEN),
    (r"returned error: 404|[Rr]epository .*not found|does not appear to be a git repository", NOT_FOUND),
    (r"does not exist|not exported|no such repository|unable to access .*: .*not found", NOT_FOUND),
    (r"transport '[^']*' not allowed|unable to update url base", REFUSED),
    (r"Operation too slow|Operation timed out|Connection timed out|Timeout, server", TIMED_OUT),
)


def settings(work: str, url: str, credentials: Credentials, resolved: str, own: bool) -> dict[str, str]:
    """The environment of git's processes. `work`: a folder for its files; `resolved`: host, port and addresses as
    curl's option has them, empty: none; `own`: whether the user's own configuration of git counts (a local run)."""
    kept = ("PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR", "SSH_AUTH_SOCK", "HOME", "USER")
    proxies = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
    environment = {name: os.environ[name] for name in (*kept, *proxies) if name in os.environ}
    environment.update(
        LC_ALL="C",
        GIT_TERMINAL_PROMPT="0",
        GIT_ALLOW_PROTOCOL="https:http:ssh",
        GIT_PROTOCOL_FROM_USER="0",
        GIT_LFS_SKIP_SMUDGE="1",
        GIT_ASKPASS="true",
        SSH_ASKPASS="true",
    )
    lines = [
        "[http]",
        # Each redirect was looked at before (`repository.preflight`); of a submodule, none is followed.
        "followRedirects = false",
        f"lowSpeedLimit = {LEAST_SPEED}",
        f"lowSpeedTime = {SPEED_SECONDS}",
        *([f"curloptResolve = {_quoted(resolved)}"] if resolved else []),
        "[core]",
        "hooksPath = /dev/null",
        "fsmonitor = false",
        "[safe]",
        "directory = *",
        "[submodule]",
        "recurse = false",
    ]
    if AUTHORITY in credentials:
        lines[1:1] = [f"sslCAInfo = {_quoted(credentials.path(AUTHORITY))}"]
    if PASSWORD in credentials:
        answer = os.path.join(work, "credential")
        with open(os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"username={credentials.user}\npassword={credentials.values[PASSWORD]}\n")
        # For this server alone: neither a submodule's nor another one gets it.
        server = re.match(r"[a-z]+://[^/]*", url)
        helper = f'!f() {{ test "$1" = get && cat {shlex.quote(answer)}; }}; f'
        lines += [f"[credential {_quoted(server[0] if server else url)}]", f"helper = {_quoted(helper)}"]
    if own:
        # The user's own comes first: it names credentials and keys, and what is set here counts.
        paths = (f"path = {_quoted(os.path.expanduser(each))}" for each in ("~/.config/git/config", "~/.gitconfig"))
        lines[:0] = ["[include]", *paths]
        home = os.path.join(work, "gitconfig")
        environment["GIT_CONFIG_GLOBAL"] = home
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15"
    else:
        home = os.path.join(work, ".gitconfig")
        environment.update(HOME=work, XDG_CONFIG_HOME=work, GIT_CONFIG_NOSYSTEM="1")
        environment.pop("SSH_AUTH_SOCK", None)
        environment["GIT_SSH_COMMAND"] = _ssh(work, credentials)
    with open(home, "w") as file:
        file.write("\n".join(lines) + "\n")
    return environment


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _ssh(work: str, credentials: Credentials) -> str:
    options = ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20"]
    options += ["ServerAliveInterval=15", "GlobalKnownHostsFile=/dev/null"]
    known = credentials.path(KNOWN_HOSTS) if KNOWN_HOSTS in credentials else "/dev/null"
    options.append(f"UserKnownHostsFile={known}")
    command = ["ssh", "-F", "none", *(word for each in options for word in ("-o", each))]
    if SSH_KEY in credentials:
        # ssh takes no key that others may read, and a mounted Secret's can be such a file.
        key = os.path.join(work, "ssh-key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(credentials.values[SSH_KEY].rstrip() + "\n")
        command += ["-i", key]
    return " ".join(map(shlex.quote, command))


class Git:
    """git, for one repository. `until`: of the monotonic clock, when all must be over; `field`: the spec's, for
    messages; `folder`: what may not grow beyond `MOST_BYTES`."""

    def __init__(
        self, environment: dict[str, str], folder: str, credentials: Credentials, field: str, until: float
    ) -> None:
        self._environment = environment
        self._folder = folder
        self._credentials = credentials
        self.field = field
        self._until = until
        if shutil.which("git", path=environment.get("PATH")) is None:
            raise FetchProblem(
                GIT_MISSING,
                "the image has no git, which fetches the code: install Debian's package git (or your distribution's) "
                "in the image, or use source.archive",
            )

    def run(self, *arguments: str, folder: str = "") -> str:
        """What git prints. Raises FetchProblem if it fails."""
        code, output, words = self.attempt(*arguments, folder=folder)
        if code:
            raise self.problem(words)
        return output

    def attempt(self, *arguments: str, folder: str = "") -> tuple[int, str, str]:
        """Exit code, output and last words of git. Raises FetchProblem for one that takes too long or too much."""
        command = ["git", *(["-C", folder] if folder else []), *arguments]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as words:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=words,
                start_new_session=True,
            )
            try:
                self._wait(process, arguments[0])
            finally:
                _end(process)
            output.seek(0)
            words.seek(max(0, words.seek(0, os.SEEK_END) - 16 * 1024))
            text = words.read().decode(errors="replace")
            return process.returncode, output.read(64 * 1024**2).decode(errors="replace"), text

    def _wait(self, process: subprocess.Popen[bytes], command: str) -> None:
        while True:
            left = self._until - time.monotonic()
            if left <= 0:
                raise FetchProblem(TIMED_OUT, f"{self.field}: git {command} was not done in time")
            try:
                process.wait(min(LOOK, left))
                return
            except subprocess.TimeoutExpired:
                self.check_size()

    def check_size(self) -> None:
        """Raises FetchProblem if what was fetched takes too much room."""
        if size_of(self._folder) > MOST_BYTES:
            raise FetchProblem(
                REFUSED,
                f"{self.field}: the repository takes more than {MOST_BYTES >> 30} GiB: keep data out of it, and let "
                "the graph read them from an object store",
            )

    def problem(self, words: str) -> FetchProblem:
        """What git's words mean."""
        text = self._credentials.without_secrets(words)
        reason = next((reason for pattern, reason in _MEANINGS if re.search(pattern, text)), UNREACHABLE)
        if reason == FORBIDDEN and re.search("[Hh]ost key", text):
            hint = f"; put the server's key as {KNOWN_HOSTS} into the Secret (ssh-keyscan prints it: compare it)"
        elif reason == FORBIDDEN:
            hint = f"; {self._credentials.named}" if "publickey" not in text else f"; look at {SSH_KEY} in the Secret"
        elif "cannot run ssh" in text or "ssh: not found" in text:
            reason, hint = GIT_MISSING, "; the image has no ssh: install Debian's package openssh-client, or use https"
        else:
            hint = ""
        lines = [each for each in text.strip().splitlines() if each.strip()]
        return FetchProblem(reason, f"{self.field}: git: {' '.join(lines[-3:])[-WORDS:] or 'failed'}{hint}")


def size_of(folder: str) -> int:
    """The bytes of all files below a folder, which may change meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def lines_of(output: str) -> list[tuple[str, str]]:
    """The lines of `git ls-remote`: object and reference of each."""
    parts = (each.partition("\t") for each in output.splitlines())
    return [(commit, name) for commit, tab, name in parts if tab]
