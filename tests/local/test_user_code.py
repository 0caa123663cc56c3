"""What user code meets in a local run is what it meets on a cluster: clients, memory, and word of what it waits for."""

from __future__ import annotations

import json

from .conftest import PATIENCE, Command, manifest, read_until


def test_clients_that_user_code_opens(command: Command) -> None:
    code = """
        from dask.distributed import Client

        def inc(number):
            return number + 1

        def inside(number):
            client = Client()
            return [client.submit(inc, number).result(), client.id.startswith("Client-worker-")]

        client = Client()
        total = client.submit(sum, client.map(inc, range(5))).result()

        def main():
            return [total, Client().submit(inside, 1)]
    """
    command.write("job.yaml", manifest("clients", code, cluster={"workers": {"threads": 2}}))
    done = command.run("job.yaml", "-o", "value")
    assert json.loads(done.stdout) == [15, [2, True]], done.stderr


def test_resources_of_workers(command: Command) -> None:
    code = "def main(client, **resources):\n    return client.submit(sum, [1, 2], resources=resources, key='on-gpu')\n"
    cluster = {"workers": {"daskResources": {"GPU": 1, "memory": "0.5"}}}
    jobs = {"enough": {"GPU": 1, "memory": 0.4}, "lacking": {"GPU": 2}}
    command.write(
        "jobs.yaml",
        *(manifest(name, code, graph={"kwargs": wanted}, cluster=cluster) for name, wanted in jobs.items()),
    )
    done = command.run("jobs.yaml")
    assert done.stdout.splitlines() == ["enough   Succeeded  3", "lacking  Failed     NoSuitableWorkers"]
    assert "task on-gpu asks for GPU: 2, which no worker offers: the workers offer GPU: 1, memory: 0.5" in done.stderr


def test_an_import_that_takes_long(command: Command) -> None:
    go = command.folder / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.1)\nmain = 5"
    command.write("job.yaml", manifest("slow", code))
    with command.start("job.yaml") as process:
        read_until(process.stderr, "slow: waiting, module code is still being imported, at code.py:2")
        go.touch()
        out, _ = process.communicate(timeout=PATIENCE)
    assert out.splitlines() == ["slow  Succeeded  5"]


def test_workers_are_as_on_a_cluster(command: Command) -> None:
    """The limit is that of the container, by the template; threads of BLAS are those that Dask's nanny sets."""
    code = """
        import getpass, os
        from dask import delayed
        from dask.distributed import get_worker

        NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")

        def look():
            limit = get_worker().memory_manager.memory_limit
            return [limit == 400 * 2**20, *(os.environ.get(name) for name in NAMES), bool(getpass.getuser())]

        def main():
            return delayed(look)()
    """
    template = {"spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "400Mi"}}}]}}
    env = [{"name": "MKL_NUM_THREADS", "value": "2"}]
    limited = manifest("limited", code, cluster={"workers": {"template": template}, "env": env})
    command.write("job.yaml", limited, manifest("unlimited", code, cluster={"env": env}))
    done = command.run("job.yaml", "-o", "json")
    values = [json.loads(each["status"]["result"]["value"]) for each in json.loads(done.stdout)["items"]]
    assert values == [[with_limit, "1", "2", "1", "65536", True] for with_limit in (True, False)], done.stderr


def test_dasks_processes_listen_on_the_loopback_only(command: Command) -> None:
    code = """
        import psutil

        def listening():
            # With a limit of memory, a nanny watches over the worker.
            here = psutil.Process()
            both = [here, here.parent()] if "nanny" in " ".join(here.parent().cmdline()) else [here]
            found = [each for process in both for each in process.net_connections("inet")]
            return sorted({each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN})

        def main(client):
            return [client.run_on_scheduler(listening), *client.run(listening).values()]
    """
    limited = {"workers": {"resources": {"limits": {"memory": "1Gi"}}}}
    command.write("jobs.yaml", manifest("plain", code), manifest("limited", code, cluster=limited))
    done = command.run("jobs.yaml", "-o", "json")
    values = [json.loads(each["status"]["result"]["value"]) for each in json.loads(done.stdout)["items"]]
    assert values == [[["127.0.0.1"], ["127.0.0.1"]]] * 2, done.stderr


GROUPS = """
    import pandas
    import dask.dataframe as dd

    def main():
        days = pandas.date_range("2026-01-01", periods=4)
        frame = pandas.DataFrame({"day": days, "shop": list("aabb"), "sum": range(4)})
        data = dd.from_pandas(frame, npartitions=2)
        return {"sums": data.groupby("shop")["sum"].sum(), "rows": data[data["sum"] > 2], "first": data["day"].min()}
"""


def test_a_series_and_a_frame_are_results(command: Command) -> None:
    """What most work with DataFrames ends in."""
    command.write("job.yaml", manifest("groups", GROUPS))
    done = command.run("-q", "-o", "value", "job.yaml")
    assert json.loads(done.stdout) == {
        "sums": {"a": 1, "b": 5},
        "rows": [{"index": 3, "day": "2026-01-04T00:00:00", "shop": "b", "sum": 3}],
        "first": "2026-01-01T00:00:00",
    }, done.stderr
