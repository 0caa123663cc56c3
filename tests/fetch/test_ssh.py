"""Code over ssh, from a real sshd: which key and which host is trusted, and what each mistake is called."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Fetch
from .git_server import commit, git, new_repository
from .ssh_server import SshServer, new_key, serve_ssh

PASSPHRASE = "pass-phrase-of-a-key"


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with serve_ssh(tmp_path_factory.mktemp("sshd")) as server:
        new_repository(server.folder, "inner", {"deep.py": "z = 3\n"})
        code = new_repository(server.folder, "code", {"jobs/main.py": "x = 1\n"})
        (code / ".gitmodules").write_text('[submodule "inner"]\n\tpath = inner\n\turl = ../inner\n')
        head = git(server.folder / "inner", "rev-parse", "HEAD")
        git(code, "update-index", "--add", "--cacheinfo", f"160000,{head},inner")
        git(code, "add", ".gitmodules")
        git(code, "commit", "--quiet", "--message", "inner")
        yield server


def of(ssh: SshServer, name: str = "code", **more: Any) -> dict[str, Any]:
    return {"url": f"{ssh.url}{ssh.folder}/{name}", "revision": "main", **more}


def secret(ssh: SshServer, **more: str) -> dict[str, str]:
    """The Secret as it should be, but for `more`; an empty value takes a key away."""
    whole = {"ssh-privatekey": ssh.key, "known_hosts": ssh.known_hosts, **more}
    return {key: text for key, text in whole.items() if text}


@pytest.mark.parametrize("change", [str.strip, lambda key: key.replace("\n", "\r\n"), lambda key: "\n" + key])
def test_the_right_key(fetch: Fetch, ssh: SshServer, change: Callable[[str], str]) -> None:
    """However an editor or a console left the text of the key."""
    found = fetch(of(ssh, submodules=True), secret=secret(ssh, **{"ssh-privatekey": change(ssh.key)}))
    assert found.reason == "", found.message
    assert found.commit == git(ssh.folder / "code", "rev-parse", "HEAD")
    assert (found.text("jobs/main.py"), found.text("inner/deep.py")) == ("x = 1\n", "z = 3\n")
    assert list((found.target.parent / "work").iterdir()) == []


def test_a_commit_is_fetched_by_its_name(fetch: Fetch, ssh: SshServer) -> None:
    pinned = git(ssh.folder / "code", "rev-parse", "HEAD~1")
    found = fetch(of(ssh), secret=secret(ssh), commit=pinned)
    assert (found.reason, found.commit) == ("", pinned)


def mistaken_keys(folder: Path) -> dict[str, str]:
    return {
        "another": new_key(folder, "another")[0],
        "with a passphrase": new_key(folder, "locked", PASSPHRASE)[0],
        "no key": "-----BEGIN OPENSSH PRIVATE KEY-----\nbm8ga2V5\n-----END OPENSSH PRIVATE KEY-----\n",
        "none": "",
    }


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("another", "look at ssh-privatekey in Secret mine"),
        ("with a passphrase", "ssh-privatekey has a passphrase"),
        ("no key", "look at ssh-privatekey in Secret mine"),
        ("none", "Secret mine has no ssh-privatekey"),
    ],
)
def test_wrong_keys(fetch: Fetch, ssh: SshServer, tmp_path: Path, which: str, words: str) -> None:
    key = mistaken_keys(tmp_path)[which]
    found = fetch(of(ssh), secret=secret(ssh, **{"ssh-privatekey": key}), seconds=20)
    assert found.reason == "SourceForbidden", found.message
    assert found.message.startswith(("spec.graph.source.git.url", "Secret mine"))
    assert words in found.message
    for line in key.splitlines():
        assert len(line) < 20 or line not in found.message + found.printed


def test_without_a_secret(fetch: Fetch, ssh: SshServer) -> None:
    found = fetch(of(ssh), seconds=20)
    assert found.reason == "SourceForbidden"
    assert "name a Secret with ssh-privatekey and known_hosts in secretRef" in found.message


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("none", "put the server's key as known_hosts into Secret mine"),
        ("of another host", "put the server's key as known_hosts into Secret mine"),
        ("changed", "the server has another key than known_hosts in Secret mine says"),
    ],
)
def test_hosts_that_are_not_trusted(fetch: Fetch, ssh: SshServer, tmp_path: Path, which: str, words: str) -> None:
    """Nothing is sent to them: the server says that nobody tried a key."""
    known = {
        "none": "",
        "of another host": ssh.known_hosts.replace("127.0.0.1", "127.0.0.2"),
        "changed": ssh.known(new_key(tmp_path, "changed")[1]),
    }[which]
    before = ssh.log.count("publickey")
    found = fetch(of(ssh), secret=secret(ssh, known_hosts=known), seconds=20)
    assert found.reason == "SourceForbidden", found.message
    assert words in found.message
    assert ssh.log.count("publickey") == before


@pytest.mark.parametrize(
    ("name", "more", "reason", "words"),
    [
        ("none", {}, "SourceNotFound", "does not appear to be a git repository"),
        ("code", {"revision": "mian"}, "RevisionNotFound", "no branch or tag 'mian'"),
        ("code", {"revision": "--upload-pack=id"}, "RevisionNotFound", "no branch or tag '--upload-pack=id'"),
        ("code", {"sub_path": "job"}, "SourceNotFound", "has no folder 'job'"),
        ("code'$(id)", {}, "SourceNotFound", "does not appear to be a git repository"),
    ],
)
def test_mistakes(fetch: Fetch, ssh: SshServer, name: str, more: dict[str, Any], reason: str, words: str) -> None:
    found = fetch(of(ssh, name, **more), secret=secret(ssh), seconds=20)
    assert (found.reason, words in found.message) == (reason, True), found.message


def test_a_server_that_says_nothing(fetch: Fetch, ssh: SshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"ssh://git@127.0.0.1:{deaf.getsockname()[1]}/x"
        found = fetch({"url": url}, secret=secret(ssh), seconds=3)
    assert found.reason == "SourceTimedOut", found.message
    assert "spec.startupDeadlineSeconds" in found.message


def test_the_key_is_in_no_argument_and_no_variable(fetch: Fetch, ssh: SshServer, tmp_path: Path) -> None:
    """What ssh is started with goes through a program that writes it down."""
    programs, notes, real = tmp_path / "programs", tmp_path / "notes", shutil.which("ssh")
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; }} >> {notes}\nexec {real} "$@"\n')
    (programs / "ssh").chmod(0o755)
    found = fetch(of(ssh), secret=secret(ssh), path=f"{programs}:{os.environ['PATH']}")
    assert found.reason == "", found.message
    written = notes.read_text()
    assert "IdentitiesOnly=yes" in written
    for line in ssh.key.splitlines()[1:-1]:
        assert line not in written + found.printed


def test_a_branch_that_moved_is_fetched_anew(fetch: Fetch, ssh: SshServer) -> None:
    last = commit(ssh.folder / "code", {"jobs/main.py": "x = 2\n"})
    assert fetch(of(ssh), secret=secret(ssh)).commit == last
