"""A real control plane: etcd, kube-apiserver, the project's and Dask's CRDs, and Kubernetes' own garbage collector.

The garbage collector is the real one (kube-controller-manager); there is no kubelet and no scheduler, and the Dask
controller is played too: see `world`.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from ..apiserver.server import BINARIES, Server, with_definitions

DASK_CRDS = Path(__file__).resolve().parents[2] / "charts/daskjob-operator/files/dask-crds"
COLLECTOR = "garbage-collector-controller"
READY_SECONDS = 60


@contextmanager
def running_control_plane() -> Iterator[Server]:
    """All of it, ready. Raises RuntimeError when a program is missing or does not get ready."""
    # Go collects its garbage less often then, and a busy machine has time for the tests.
    with mock.patch.dict(os.environ, GOGC="200"), with_definitions(DASK_CRDS) as server, _collector(server):
        yield server


@contextmanager
def _collector(server: Server) -> Iterator[None]:
    """kube-controller-manager, as soon as its garbage collector knows the CRDs."""
    log = server.kubeconfig.parent / "kube-controller-manager.log"
    command = [
        str(BINARIES / "kube-controller-manager"),
        f"--kubeconfig={server.kubeconfig}",
        f"--controllers={COLLECTOR}",
        *("--leader-elect=false", "--secure-port=0"),
        # Its own brake (20 requests a second) would be what the tests wait for.
        *("--kube-api-qps=2000", "--kube-api-burst=4000"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await_collector(server, process, log)
        yield
    finally:
        process.kill()
        process.wait()


def _await_collector(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until a report whose owner never was is collected."""
    reports = "/apis/daskjob.io/v1alpha1/namespaces/default/daskjobreports"
    owner = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "name": "none", "uid": "none"}
    canary = {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJobReport",
        "metadata": {"name": "canary", "ownerReferences": [owner]},
        "spec": {"job": "none", "jobUID": "none", "attempt": 1},
    }
    server.admin.create(reports, canary).ok()
    deadline = time.monotonic() + READY_SECONDS
    while server.admin.get(f"{reports}/canary").status != 404:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the garbage collector did not get ready: …{log.read_text()[-2000:]}")
        time.sleep(0.05)
