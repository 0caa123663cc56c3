"""NetworkPolicies in force: the test cluster's own network enforces none."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .kube import Kube
from .programs import program
from .waiting import wait_for

#: Seconds until the agent knows all policies and pods, and until it has removed its rules.
READY, GONE = 30, 10
#: The agent calls iptables.
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@contextmanager
def policies_enforced(kube: Kube) -> Iterator[None]:
    """An agent enforces them (`tests/cluster/network`), on a cluster of `tests/cluster/up`. Another cluster is expected
    to do it by itself, as kind does."""
    if not (Path(kube.kubeconfig).parent / "containerd.sock").exists():
        yield
        return
    command = [program("network-policies"), "--kubeconfig", kube.kubeconfig, "--node", "node1"]
    with tempfile.TemporaryFile("w+") as log:
        agent = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": PATH})

        def words() -> str:
            assert agent.poll() is None, f"the agent ended with {agent.returncode}: {_text(log.fileno())}"
            return _text(log.fileno())

        try:
            wait_for("NetworkPolicies to be enforced", words, lambda text: "ready\n" in text, READY)
            yield
            words()
        finally:
            agent.terminate()
            agent.wait(GONE)


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 20, 0).decode()
