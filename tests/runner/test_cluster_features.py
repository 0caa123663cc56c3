"""TLS between runner and scheduler, and clusters of changing size."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from .conftest import wait_for
from .test_kubernetes_report import make_certificate


def tls_environment(folder: Path) -> dict[str, str]:
    """As the operator sets it for every container of an attempt."""
    folder.mkdir()
    make_certificate(folder)
    prefix = "DASK_DISTRIBUTED__COMM"
    env = {f"{prefix}__REQUIRE_ENCRYPTION": "true", f"{prefix}__TLS__CA_FILE": str(folder / "ca.crt")}
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        env[f"{prefix}__TLS__{role}__CERT"] = str(folder / "tls.crt")
        env[f"{prefix}__TLS__{role}__KEY"] = str(folder / "tls.key")
    return env


def test_tls(run, make_cluster, tmp_path):
    cluster = make_cluster(protocol="tls", env=tls_environment(tmp_path / "tls"))
    assert cluster.address.startswith("tls://")
    assert run("entries:coroutine_with_client", 10, cluster=cluster).value == [285, 9, 285]
    stranger = tls_environment(tmp_path / "other")
    options = {"address": cluster.address, "scheduler": {"address": cluster.address, "timeoutSeconds": 2}}
    assert run("entries:one", env=stranger, **options).failure["reason"] == "SchedulerUnreachable"


def test_adaptive_cluster_grows_and_shrinks(start, make_cluster, tmp_path):
    cluster = make_cluster(workers=1)
    env = {"DASK_DISTRIBUTED__ADAPTIVE__TARGET_DURATION": "1s"}
    file = tmp_path / "enough"
    adaptive = {"minimum": 1, "maximum": 2, "cooldownSeconds": 1}
    running = start(
        "entries:busy_then_idle",
        str(file),
        cluster=cluster,
        groups=[{"name": "default", "adaptive": adaptive}],
        env=env,
    )
    wait_for("two workers wanted", lambda: running.status().get("workers", {}).get("wanted") == 2)
    cluster.add_worker("worker-1")
    wait_for("two workers connected", lambda: running.status()["workers"]["connected"] == 2)
    file.touch()
    retired = wait_for("a retired worker", lambda: running.status()["workers"].get("retired"))
    assert len(retired) == 1
    assert retired[0] in ("worker-0", "worker-1")
    assert running.status()["workers"]["wanted"] == 1
    file.with_name("end").touch()
    assert running.wait().value == "done"


GROUPED = """
    import os, time
    from distributed import get_worker

    def where():
        return get_worker().name

    def main(client, end):
        found = client.submit(where, resources={"gpu": 1}).result()
        while not os.path.exists(end):
            time.sleep(0.1)
        return found
"""


def test_a_group_begins_with_no_worker_and_ends_with_none(start, make_cluster, tmp_path):
    (tmp_path / "grouped.py").write_text(textwrap.dedent(GROUPED))
    cluster = make_cluster(workers=1, env={"PYTHONPATH": str(tmp_path)})
    adaptive = {"minimum": 0, "maximum": 2, "cooldownSeconds": 1}
    groups = [
        {"name": "default", "prefix": "worker-", "resources": {"default": 1}},
        {"name": "gpu", "prefix": "gpu-worker-", "minWorkers": 0, "adaptive": adaptive, "resources": {"gpu": 1}},
    ]
    end = tmp_path / "end"
    running = start("grouped:main", str(end), cluster=cluster, codePath=str(tmp_path), groups=groups)

    def sizes():
        rows = running.status().get("workers", {}).get("groups", ())
        return {row["name"]: (row["connected"], row.get("wanted")) for row in rows}

    wait_for("a worker wanted", lambda: sizes() == {"default": (1, None), "gpu": (0, 1)})
    cluster.add_worker("gpu-worker-0", "--resources", "gpu=1")
    wait_for("the worker to be retired", lambda: running.status()["workers"].get("retired") == ["gpu-worker-0"])
    wait_for("no worker wanted", lambda: sizes() == {"default": (1, None), "gpu": (0, 0)})
    end.touch()
    assert running.wait().value == "gpu-worker-0"


def test_a_worker_of_two_processes_is_one(start, make_cluster, tmp_path):
    """It counts when both have joined, and is retired with both."""
    (tmp_path / "grouped.py").write_text(textwrap.dedent(GROUPED))
    cluster = make_cluster(workers=1, env={"PYTHONPATH": str(tmp_path)})
    adaptive = {"minimum": 0, "maximum": 2, "cooldownSeconds": 1}
    pairs = {"prefix": "gpu-worker-", "minWorkers": 0, "adaptive": adaptive, "resources": {"gpu": 1}, "processes": 2}
    groups = [
        {"name": "default", "prefix": "worker-", "resources": {"default": 1}},
        {"name": "gpu", **pairs},
    ]
    end = tmp_path / "end"
    running = start("grouped:main", str(end), cluster=cluster, codePath=str(tmp_path), groups=groups)

    def counts():
        workers = running.status().get("workers", {})
        rows = {row["name"]: (row["connected"], row.get("wanted")) for row in workers.get("groups", ())}
        return workers.get("connected"), workers.get("threads"), rows.get("gpu")

    wait_for("a worker wanted", lambda: counts()[2] == (0, 1))
    # The second one has no resource: the task runs on the first.
    cluster.add_worker("gpu-worker-0-0", "--resources", "gpu=1")
    wait_for("half a worker", lambda: counts()[:2] == (1, 4))
    assert counts()[2][0] == 0
    cluster.add_worker("gpu-worker-0-1")
    wait_for("the worker to be retired", lambda: running.status()["workers"].get("retired") == ["gpu-worker-0"])
    wait_for("the other group alone", lambda: counts() == (1, 2, (0, 0)))
    end.touch()
    assert running.wait().value == "gpu-worker-0-0"


@pytest.mark.parametrize("minimum", [2])
def test_waits_for_the_smallest_number_of_workers(start, make_cluster, minimum):
    cluster = make_cluster(workers=1)
    running = start("entries:how_many", cluster=cluster, groups=[{"name": "default", "minWorkers": minimum}])
    wait_for("one worker", lambda: running.status().get("workers", {}).get("connected") == 1)
    assert running.status()["stage"] == "Connected"
    cluster.add_worker("worker-1")
    assert running.wait().value == 2
