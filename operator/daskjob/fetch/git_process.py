"""Runs git, with settings of its own and none of the image's, within limits of time and size."""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil

from daskjob.fetch.bounded_process import run_bounded, size_of
from daskjob.fetch.fetch_limits import MOST_BYTES
from daskjob.fetch.fetch_problem import FORBIDDEN, GIT_MISSING, REFUSED, FetchProblem
from daskjob.fetch.git_words import git_problem
from daskjob.fetch.source_secret import AUTHORITY, KNOWN_HOSTS, PASSWORD, SSH_KEY, Credentials
from daskjob.results.opened_store import by_place

#: A server that sends fewer bytes a second for so many seconds is too slow.
LEAST_SPEED, SPEED_SECONDS = 1000, 30
_OPENSSH = b"openssh-key-v1\0"


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
    # For this server alone: neither a submodule's nor another one gets what the Secret has.
    server = match[0] if (match := re.match(r"[a-z]+://[^/]*", url)) else url
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
        lines += [f"[http {_quoted(server)}]", f"sslCAInfo = {_quoted(credentials.path(AUTHORITY))}"]
    if PASSWORD in credentials:
        answer = os.path.join(work, "credential")
        with open(os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"username={credentials.user}\npassword={credentials.values[PASSWORD]}\n")
        helper = f'!f() {{ test "$1" = get && cat {shlex.quote(answer)}; }}; f'
        lines += [f"[credential {_quoted(server)}]", f"helper = {_quoted(helper)}"]
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
        if _has_passphrase(credentials.values[SSH_KEY]):
            raise FetchProblem(
                FORBIDDEN,
                f"Secret {credentials.secret}: {SSH_KEY} has a passphrase, which nobody can type in: take one without",
            )
        # ssh takes no key that others may read, and a mounted Secret's can be such a file.
        key = os.path.join(work, "ssh-key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(credentials.values[SSH_KEY].replace("\r\n", "\n").strip() + "\n")
        command += ["-i", key]
    return " ".join(map(shlex.quote, command))


def _has_passphrase(key: str) -> bool:
    """Whether a private key, in PEM or in OpenSSH's format, is encrypted."""
    lines = [each.strip() for each in key.splitlines()]
    try:
        content = base64.b64decode("".join(each for each in lines if each and not each.startswith("-----")))
    except ValueError:
        return "ENCRYPTED" in key
    # The magic word, and then the name of the cipher with its length.
    return "ENCRYPTED" in key or (content.startswith(_OPENSSH) and not content.startswith(_OPENSSH + b"\0\0\0\4none"))


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
                f"{by_place('the image', 'this machine')} has no git, which fetches the code: install Debian's package "
                f"git (or your distribution's){by_place(' in the image', '')}, or use source.archive",
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
        late = f"{self.field}: git {arguments[0]} was not done in time"
        return run_bounded(command, self._environment, self._until, self.check_size, late)

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
        return git_problem(words, self.field, self._credentials)


def lines_of(output: str) -> list[tuple[str, str]]:
    """The lines of `git ls-remote`: object and reference of each."""
    parts = (each.partition("\t") for each in output.splitlines())
    return [(commit, name) for commit, tab, name in parts if tab]
