"""An SSH server: Debian's sshd as a process of this user on the loopback, with keys and a folder of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..support.ports import reserved_port
from ..support.waiting import wait_for

_SETTINGS = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
"""


def new_key(folder: Path, name: str, passphrase: str = "") -> tuple[str, str]:
    """A key pair: the private one, and the public one in one line."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


class SshServer:
    """`url`: without a path; `key`: the private key that it takes; `known_hosts`: the line about it; `log`: what it
    wrote."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}"
        self.key, public = new_key(folder, "user")
        _, host = new_key(folder, "host")
        self.known_hosts = self.known(host)
        (folder / "authorized_keys").write_text(f"restrict {public}\n")

    def known(self, public: str) -> str:
        """The line of known_hosts that says that the server has this key."""
        kind, key = public.split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def serve_ssh(folder: Path) -> Iterator[SshServer]:
    """Raises FileNotFoundError if there is no sshd (Debian's package openssh-server)."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise FileNotFoundError("sshd: install Debian's package openssh-server")
    if os.geteuid() == 0:
        # Where it separates its rights, as its service makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = reserved_port()
    server = SshServer(folder, port)
    (folder / "settings").write_text(_SETTINGS.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "settings")], stderr=log)
        try:
            wait_for("sshd", lambda: f"on 127.0.0.1 port {port}" in server.log, bool, 20)
            yield server
        finally:
            process.terminate()
            process.wait()
