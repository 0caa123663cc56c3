"""The processes of the test cluster on this machine: those of its control plane and node, and those in its containers.

Only for a cluster that `tests/cluster/up` started here: to a cluster elsewhere nobody lends these.
"""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .kube import Kube, Manifest
from .waiting import wait_for

#: Seconds until a program that was started again answers.
BACK = 60
#: Where each program says that it is well; the nodes' conditions lag behind by most of a minute.
HEALTH = {
    "etcd": "http://127.0.0.1:2379/health",
    "kube-controller-manager": "https://127.0.0.1:10257/healthz",
    "kubelet": "http://127.0.0.1:10248/healthz",
}


@dataclass(frozen=True)
class Machine:
    """What `tests/cluster/up` keeps in its folder: the number of each process, its log, containerd's socket."""

    folder: Path
    kube: Kube

    @classmethod
    def of(cls, kube: Kube) -> Machine:
        folder = Path(kube.kubeconfig).parent
        assert (folder / "containerd.sock").exists(), (
            f"{kube.kubeconfig} is no cluster of tests/cluster/up: its processes cannot be stopped from here"
        )
        return cls(folder, kube.within("default"))

    def pid(self, name: str) -> int:
        """The number of a program that runs. Raises AssertionError if it does not."""
        pid = int((self.folder / f"{name}.pid").read_text())
        # Its folder tells it from a stranger with the same number.
        assert _folder_of(pid) == self.folder.resolve(), f"{name} of the test cluster does not run"
        return pid

    @contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """Kills a program, and starts it afterwards just as it was; then waits until all is well."""
        command = self._kill_program(name)
        try:
            yield
        finally:
            self._start(name, command)
            self.is_well()

    @contextmanager
    def started_with(self, name: str, *more: str) -> Iterator[None]:
        """A program is started again with more arguments, and afterwards just as it was."""
        command = self._kill_program(name)
        self._start(name, [*command, *more])
        try:
            yield
        finally:
            self._kill_program(name)
            self._start(name, command)
            self.is_well()

    def _kill_program(self, name: str) -> list[str]:
        """Its command line."""
        pid = self.pid(name)
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        os.kill(pid, signal.SIGKILL)
        wait_for(f"{name} to be gone", lambda: _folder_of(pid), lambda folder: folder is None, 10)
        return command

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Holds a program up: its connections stay open, and nothing answers."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
            self.is_well()

    def is_well(self) -> None:
        """Waits until every program answers, and every node is ready."""

        def trouble() -> str:
            try:
                self._ctr("version")
                self.kube.kubectl("get", "--raw", "/readyz", timeout=10)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                return str(error)
            unwell = [name for name, address in HEALTH.items() if not _answers(address)]
            return ", ".join(
                unwell + [node["metadata"]["name"] for node in self.kube.list("nodes") if not _ready(node)]
            )

        wait_for("the cluster to be well", trouble, lambda it: not it, BACK)

    def _start(self, name: str, command: list[str]) -> None:
        # As `up` does it: a process of nobody's, which a test that fails does not take with it.
        script = 'setsid nohup "$@" >>"$0" 2>&1 </dev/null & echo $!'
        log = f"logs/{name}.log"
        done = subprocess.run(["sh", "-c", script, log, *command], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (self.folder / f"{name}.pid").write_text(done.stdout)

    def kill_container(self, pod: Manifest) -> None:
        """Kills the first process of a pod's main container, as a crash does."""
        [state, *_] = pod["status"]["containerStatuses"]
        self._kill(state["containerID"].removeprefix("containerd://"))

    def kill_sandbox(self, pod: Manifest) -> None:
        """Kills the process that holds a pod's namespaces: to the kubelet the whole pod is broken."""
        of_pod = f'labels."io.kubernetes.pod.uid"=={pod["metadata"]["uid"]}'
        kind = 'labels."io.cri-containerd.kind"==sandbox'
        [sandbox] = self._ctr("containers", "list", "--quiet", f"{of_pod},{kind}").split()
        self._kill(sandbox)

    def _kill(self, container: str) -> None:
        self._ctr("tasks", "kill", "--signal", "SIGKILL", container)

    def _ctr(self, *arguments: str) -> str:
        command = ["ctr", "--address", str(self.folder / "containerd.sock"), "--namespace", "k8s.io", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"ctr {' '.join(arguments)}: {done.stderr}"
        return done.stdout


def _folder_of(pid: int) -> Path | None:
    """The working folder of a process; None if there is no such process (any more)."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        return None


def _ready(node: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", ()))


def _answers(address: str) -> bool:
    # Its certificate is its own.
    unchecked = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(address, timeout=5, context=unchecked) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
