"""Clients that user code opens itself: in its entry point, at the top of its modules and on workers, over TLS."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ..support.ports import reserved_port
from .conftest import CODE
from .test_cluster_features import tls_environment


@pytest.fixture
def cluster(make_cluster, tmp_path: Path):
    """A cluster over TLS whose processes have the environment of a job's pods; one worker, so that waiting for it
    inside of it is noticed."""
    port = reserved_port()
    own = {"DASK_SCHEDULER_ADDRESS": f"tls://127.0.0.1:{port}", "DASK_CLIENT_NAME": "worker"}
    env = {**tls_environment(tmp_path / "tls"), **own, "PYTHONPATH": f"{tmp_path}:{CODE}"}
    return make_cluster(protocol="tls", port=str(port), env=env)


def test_a_script_that_computes_while_it_is_imported(run, cluster):
    outcome = run("script:main", 1, cluster=cluster, kwargs={})
    assert outcome.value == {
        "early": 15,
        "late": 6,
        "computed": (10, 12),
        "counters": [3, 4],
        "point": 2,
        "wrapped": 2,
        "total": 4,
        "name": True,
        "again": [2, 4],
        "own": [1, 2, 3],
    }


def test_a_future_at_the_top_of_a_module(run, cluster):
    assert run("script:late", cluster=cluster).value == 6


CASES = {
    "futures of one's own client": "return Client().map(inc, range(3))",
    "of two, nested": "return {'own': [Client().submit(inc, 0)], 'given': (client.submit(inc, 1), inc(2))}",
    "what one's own client keeps": "return [Client().persist(delayed(inc)(n)) for n in range(2)] + [delayed(inc)(2)]",
    "a client of one's own at work on a worker": "return client.submit(on_a_worker, range(3), pure=False)",
}


@pytest.mark.parametrize("case", CASES)
def test_futures_of_several_clients(run, cluster, tmp_path: Path, case: str):
    code = f"""
    from dask import delayed
    from dask.distributed import Client, worker_client

    def inc(number):
        return number + 1

    def on_a_worker(numbers):
        with worker_client() as client:
            assert sum(client.gather(client.map(inc, numbers))) == 6
        client = Client()
        return client.gather(client.map(inc, numbers))

    def main(client):
        {CASES[case]}
    """
    (tmp_path / "own_clients.py").write_text(textwrap.dedent(code))
    value = run("own_clients:main", cluster=cluster, codePath=str(tmp_path)).value
    assert value == ({"own": [1], "given": (2, 3)} if "nested" in case else [1, 2, 3])


@pytest.mark.parametrize("importing", ["import opens", "def main(number): import opens; return opens.main(number)"])
def test_a_module_that_only_opens_a_client(run, cluster, tmp_path: Path, importing: str):
    """Neither scheduler nor worker can import it."""
    code = "from dask.distributed import Client\nclient = Client()\n"
    code += "def inc(number):\n    return number + 1\n"
    code += "def main(number):\n    return [client.submit(inc, number), client.id.startswith('Client-mine-')]\n"
    (tmp_path / "opens.py").write_text(code)
    (tmp_path / "imports.py").write_text(f"{importing}\nif 'opens' in globals(): main = opens.main\n")
    options = {"codePath": str(tmp_path), "env": {"DASK_CLIENT_NAME": "mine"}}
    assert run("imports:main", 1, cluster=cluster, **options).value == [2, True]


def test_futures_of_a_client_of_ones_own_event_loop(run, cluster, tmp_path: Path):
    code = "from dask.distributed import Client\nasync def main(number):\n"
    code += "    client = await Client(asynchronous=True)\n    return client.map(abs, range(number))\n"
    (tmp_path / "loops.py").write_text(code)
    assert run("loops:main", 3, cluster=cluster, codePath=str(tmp_path)).value == [0, 1, 2]


def test_a_module_that_opens_no_client_keeps_its_name(run, cluster):
    assert run("entries:where_defined", cluster=cluster).value == ["entries", "entries"]


def test_futures_of_a_client_that_is_closed(run, cluster, tmp_path: Path):
    code = "from dask.distributed import Client\ndef main():\n    with Client() as client:\n"
    (tmp_path / "closes.py").write_text(f"{code}        return client.map(abs, range(3))\n")
    failure = run("closes:main", cluster=cluster, codePath=str(tmp_path)).failure
    assert failure["reason"] == "EntrypointFailed"
    assert "futures of a client that is closed" in failure["message"]
