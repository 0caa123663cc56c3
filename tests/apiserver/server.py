"""A real etcd and kube-apiserver on loopback, and a client that says what they answered. No kubelet, no controllers:
a pod is an object with a UID, and its token is asked for by name."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daskjob.schema import find_crds

from ..support.ports import reserved_port

BINARIES = Path(os.environ.get("CLUSTER_BIN") or Path.home() / ".cache/daskjob/bin-1.35.4")
#: Seconds until programs answer: at a load of 17 on two cores, starting takes most of a minute.
START_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What the server said: `status` is the HTTP status, `body` the decoded JSON (a Status object on errors)."""

    status: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Field and message of each thing refused; without the server's remarks that belong to no field."""
        causes = self.body.get("details", {}).get("causes", [])
        return [(each.get("field", ""), each.get("message", "")) for each in causes if each.get("field") != "<nil>"]

    def ok(self) -> dict[str, Any]:
        """The body of an answer that must be a success."""
        assert self.status in (200, 201), f"{self.status}: {self.message or self.body}"
        return self.body


#: Seconds without a request after which a connection is not used again: the API server closes it after 90.
IDLE = 30.0


@dataclass
class Client:
    """One user of the API server, known by its token. Keeps one connection open. `person`: a user of that name, as whom
    the token's user acts; `group`: what the user is in."""

    port: int
    certificate: Path
    token: str
    person: str = ""
    group: str = ""
    _connection: http.client.HTTPSConnection = field(init=False)
    _used: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        self._connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)

    def close(self) -> None:
        self._connection.close()

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        """`path` with its query; `body` is sent as JSON of the content type `kind`."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        headers |= {"Impersonate-User": self.person} if self.person else {}
        headers |= {"Impersonate-Group": self.group} if self.group else {}
        if time.monotonic() - self._used > IDLE:
            self._connection.close()  # The next request opens it again.
        self._used = time.monotonic()
        self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        with self._connection.getresponse() as response:
            content = response.read()
        decoded = json.loads(content) if content.startswith(b"{") else {"message": content.decode()}
        return Answer(response.status, decoded)

    def create(self, path: str, manifest: dict[str, Any], query: str = "fieldValidation=Strict") -> Answer:
        return self.request("POST", f"{path}?{query}", manifest)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def merge(self, path: str, changes: dict[str, Any], query: str = "fieldValidation=Strict") -> Answer:
        """A JSON merge-patch, as the runner sends it."""
        return self.request("PATCH", f"{path}?{query}", changes, "application/merge-patch+json")

    def apply(self, path: str, manifest: dict[str, Any], manager: str = "test") -> Answer:
        """A server-side apply."""
        query = f"fieldManager={manager}&fieldValidation=Strict"
        return self.request("PATCH", f"{path}?{query}", manifest, "application/apply-patch+yaml")

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)


@dataclass
class Server:
    """A running API server; `admin` may do everything."""

    port: int
    certificate: Path
    kubeconfig: Path
    admin: Client
    _open: ExitStack

    def client(self, token: str) -> Client:
        """A client for a token; closed with the server."""
        return self._closed_later(Client(self.port, self.certificate, token))

    def person(self, name: str, group: str = "") -> Client:
        """A client of a user who is no service account, and of no other group but that of all users."""
        return self._closed_later(Client(self.port, self.certificate, self.admin.token, name, group))

    def _closed_later(self, client: Client) -> Client:
        self._open.callback(client.close)
        return client

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(BINARIES / "kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments]
        # A cache of its own: what another server offered is not what this one offers.
        environment = os.environ | {"KUBECACHEDIR": str(self.kubeconfig.parent / "kubectl-cache")}
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=environment)


@contextmanager
def running() -> Iterator[Server]:
    """Starts both, and kills both at the end. Raises RuntimeError when a program is missing or does not get ready."""
    missing = [name for name in ("etcd", "kube-apiserver", "kubectl") if not (BINARIES / name).is_file()]
    if missing:
        raise RuntimeError(f"no {', '.join(missing)} in {BINARIES}: run tests/cluster/build, or set CLUSTER_BIN")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daskjob-apiserver-")))
        token = secrets.token_hex(16)
        _write_keys(folder, token)
        client_port, peer_port, port = (reserved_port() for _ in range(3))
        etcd = f"http://127.0.0.1:{client_port}"
        peer = f"http://127.0.0.1:{peer_port}"
        started = [
            stack.enter_context(
                _process(
                    folder,
                    "etcd",
                    *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
                    *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
                    *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                    *("--initial-cluster", f"default={peer}"),
                )
            ),
            stack.enter_context(
                _process(
                    folder,
                    "kube-apiserver",
                    *(f"--etcd-servers={etcd}", f"--cert-dir={folder}/certs", f"--secure-port={port}"),
                    *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"),
                    *("--service-cluster-ip-range=198.19.0.0/24", "--authorization-mode=RBAC"),
                    *(f"--token-auth-file={folder}/tokens.csv", "--service-account-issuer=https://kubernetes.default"),
                    # As on most clusters: what a namespace takes is for the level of its label to say.
                    "--allow-privileged=true",
                    *(f"--service-account-key-file={folder}/sa.key",),
                    *(f"--service-account-signing-key-file={folder}/sa.key",),
                )
            ),
        ]
        certificate = folder / "certs/apiserver.crt"
        _await_ready(folder, started, certificate, port, token)
        admin = Client(port, certificate, token)
        stack.callback(admin.close)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(_kubeconfig(port, certificate, token))
        yield Server(port, certificate, kubeconfig, admin, stack)


def _write_keys(folder: Path, token: str) -> None:
    command = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", folder / "sa.key"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')


def _kubeconfig(port: int, certificate: Path, token: str) -> str:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(certificate)}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
    )


@contextmanager
def _process(folder: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its log in the folder. Killed at the end: what it holds is thrown away with the folder."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [BINARIES / name, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _await_ready(
    folder: Path, started: list[subprocess.Popen[bytes]], certificate: Path, port: int, token: str
) -> None:
    deadline = time.monotonic() + START_SECONDS
    said = "nothing yet"
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in started):
            break
        try:
            client = Client(port, certificate, token)
            try:
                answer = client.get("/readyz")
            finally:
                client.close()
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
        else:
            if answer.status == 200:
                return
            said = answer.message
        time.sleep(0.1)
    logs = "\n".join(f"{log.name}: …{log.read_text()[-1500:]}" for log in sorted(folder.glob("*.log")))
    raise RuntimeError(f"the API server did not get ready within {START_SECONDS} s; it said: {said}\n{logs}")


@contextmanager
def with_definitions(*more: Path) -> Iterator[Server]:
    """As `running`, with crds/ applied as a user would, by kubectl, and `more` folders of definitions."""
    with running() as server:
        for folder in (find_crds(), *more):
            applied = server.kubectl("apply", "--filename", str(folder))
            if applied.returncode:
                raise RuntimeError(f"kubectl apply --filename {folder}: {applied.stderr}")
        await_definitions(server)
        yield server


def await_definitions(server: Server) -> None:
    """Waits until objects of all definitions can be listed: one that is established is served only a moment later.

    `kubectl wait` gives up on a definition that has no conditions yet.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        crds = server.admin.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").ok()["items"]
        waiting = [path for each in crds for path in _paths(each) if server.admin.get(path).status != 200]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not served: {', '.join(waiting)}")
        time.sleep(0.05)


def _paths(crd: dict[str, Any]) -> list[str]:
    """Of the lists of all objects, by version."""
    spec = crd["spec"]
    versions = [each["name"] for each in spec["versions"] if each["served"]]
    return [f"/apis/{spec['group']}/{version}/{spec['names']['plural']}" for version in versions]
