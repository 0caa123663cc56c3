"""How Dask's processes start and stop in their containers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daskjob.runner.surroundings import memory_limit

from ..support.dask_command import dask_command
from .builders import container, job, pod_specs

#: As Dask's own, which closes in its own time.
SIGNALS = """\
import asyncio, signal

async def wait_for_signals():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)
    await asyncio.Event().wait()
"""
RUNS = """\
import asyncio, sys
from distributed._signals import wait_for_signals

async def main():
    waiting = asyncio.create_task(wait_for_signals())
    await asyncio.sleep(0)
    print("ready", *sys.argv[1:], flush=True)
    await waiting

asyncio.run(main())
"""
STARTS = """\
import signal, sys
print("ready", *sys.argv[1:], flush=True)
signal.pause()
"""

#: TLS whose handshake fails at first, or always, while the time goes so many times as fast; its server speaks first.
SECURITY = """\
import os, time

clock = time.monotonic
time.monotonic = lambda: int(os.environ["CLOCK"]) * clock()

class Speaks:
    def __init__(self, plain):
        self.plain = plain

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.plain.close()

    def recv(self, count):
        print("waits for the first byte", flush=True)

class Context:
    failed = 0

    def wrap_socket(self, plain):
        if self.failed < int(os.environ["FAILS"]):
            self.failed += 1
            raise OSError("no handshake")
        print("handshake after", self.failed, flush=True)
        return Speaks(plain)

class Security:
    def get_connection_args(self, role):
        return {"ssl_context": Context()}
"""


def install(folder: Path, module: str, source: str, **distributed: str) -> dict[str, str]:
    """The environment in which this module can be started, and has a package `distributed` of these modules."""
    (folder / "distributed").mkdir()
    for name, content in {"__init__": "", **distributed}.items():
        (folder / "distributed" / f"{name}.py").write_text(content)
    (folder / f"{module}.py").write_text(source)
    return {**os.environ, "PYTHONPATH": str(folder), "DASKJOB_RECORD_FOLDER": str(folder)}


def run(folder: Path, module: str, source: str, signals: str = SIGNALS) -> int:
    """Exit code of the module that is told to stop as soon as it is ready."""
    environment = install(folder, module, source, _signals=signals)
    command = dask_command(folder, module, "--port", "8786")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready --port 8786\n"
            process.terminate()
            return process.wait(timeout=20)
        finally:
            process.kill()


def test_it_ends_at_once_while_it_runs(tmp_path: Path) -> None:
    assert run(tmp_path, "runs", RUNS) == 128 + signal.SIGTERM


@pytest.mark.parametrize("signals", [SIGNALS, "", "raise ImportError('no such module in this release')"])
def test_it_hears_the_signal_while_it_starts(tmp_path: Path, signals: str) -> None:
    assert run(tmp_path, "starts", STARTS, signals) == 128 + signal.SIGTERM


#: A clock of which fifteen seconds are half a one.
QUICK = 30
FIRST_BYTE = "waits for the first byte"
WORKER = "import sys\nprint('ready', sys.argv[1], flush=True)"


def start_worker(folder: Path, address: str, fails: int, clock: int = 1) -> list[str]:
    """What a worker prints that is to find this scheduler. `clock`: how many times as fast the time goes; where it
    succeeds in the end, it has all its seconds, for the machine may be busy."""
    variables = {"FAILS": str(fails), "CLOCK": str(clock)}
    environment = install(folder, "a_worker", WORKER, __init__=SECURITY) | variables
    command = dask_command(folder, "a_worker", address)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("fails", "expected"),
    [(0, ["handshake after 0", FIRST_BYTE]), (3, ["handshake after 3", FIRST_BYTE]), (10**6, [])],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_worker_tries_until_its_scheduler_answers_and_starts_in_any_case(
    tmp_path: Path, host: str, fails: int, expected: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tls://{host}:{server.getsockname()[1]}"
        clock = 1 if expected else QUICK
        assert start_worker(tmp_path, address, fails, clock) == [*expected, f"ready {address}"]


@pytest.mark.parametrize("address", ["tls://127.0.0.1:{}", "tls://no-such-name.invalid:{}"])
def test_a_worker_starts_where_nobody_listens(tmp_path: Path, address: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = address.format(silent.getsockname()[1])
        assert start_worker(tmp_path, address, 0, QUICK) == [f"ready {address}"]


def test_a_worker_finds_a_scheduler_at_an_ipv6_address(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        address = f"tls://[::1]:{server.getsockname()[1]}"
        assert start_worker(tmp_path, address, 1) == ["handshake after 1", FIRST_BYTE, f"ready {address}"]


@pytest.mark.parametrize(
    ("spec", "scheduler", "worker"),
    [
        ({}, ("1200", "600"), ("1200", "600")),
        ({"startupDeadlineSeconds": 30}, ("630", "600"), ("630", "600")),
        # The time for which a cluster is kept: nobody need be connected then.
        ({"cleanup": {"afterFailureSeconds": 3600}}, ("4200", "4200"), ("1200", "600")),
        ({"cleanup": {"afterSuccessSeconds": 7, "afterFailureSeconds": 5}}, ("1200", "607"), ("1200", "600")),
    ],
)
def test_how_long_they_stay_without_a_contact(
    spec: dict[str, Any], scheduler: tuple[str, str], worker: tuple[str, str]
) -> None:
    specs = pod_specs(job(**spec))
    commands = {name: container(specs[name], name)["command"] for name in ("scheduler", "worker")}
    assert {name: tuple(command[7:9]) for name, command in commands.items()} == {
        "scheduler": scheduler,
        "worker": worker,
    }


STARTED = """\
import json, os, resource, sys
names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_", "MINE", "LOGNAME")
early = [name for name in ("numpy", "distributed") if name in sys.modules]
print(json.dumps({**{name: os.environ.get(name) for name in names}, "early": early, "options": sys.argv[2:]}))
"""


def start(folder: Path, module: str, *options: str, **variables: str) -> dict[str, Any]:
    """What this module finds when it starts."""
    environment = install(folder, module, STARTED, __init__=SECURITY, _signals="") | {
        "FAILS": "0",
        "CLOCK": "1",
        **variables,
    }
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"):
        if name not in variables:
            environment.pop(name, None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tls://127.0.0.1:{server.getsockname()[1]}"
        command = dask_command(folder, module, address, *options)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_worker_has_what_a_nanny_would_have_set(tmp_path: Path) -> None:
    found = start(tmp_path, "a_worker")
    assert [found[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")] == ["1", "1", "1"]
    assert found["MALLOC_TRIM_THRESHOLD_"] == "65536"
    assert "numpy" not in found["early"], "NumPy reads these variables when it is imported"


def test_what_the_image_or_the_job_sets_wins_over_it(tmp_path: Path) -> None:
    settings = {"MKL_NUM_THREADS": 7, "MALLOC_TRIM_THRESHOLD_": None, "OMP_NUM_THREADS": 9, "MINE": "yes"}
    variable = "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON"
    found = start(tmp_path, "a_worker", OMP_NUM_THREADS="3", **{variable: repr(settings)})
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("3", "7", "1")
    assert (found["MALLOC_TRIM_THRESHOLD_"], found["MINE"]) == (None, "yes")


FINDS = """\
import json, sys
found = [name for name in sys.modules if name.partition(".")[0] == "daskjob"]
print(json.dumps([found, [each for each in sys.path if each.endswith("runner.pyz")], sys.path[0]]))
"""


def test_tasks_find_the_images_own_daskjob_if_any(tmp_path: Path) -> None:
    environment = install(tmp_path, "a_scheduler", FINDS, _signals="")
    command = dask_command(tmp_path, "a_scheduler", code=str(tmp_path / "code"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [[], [], str(tmp_path / "code")]


def test_a_scheduler_has_no_nanny_and_no_limit(tmp_path: Path) -> None:
    found = start(tmp_path, "a_scheduler", DASKJOB_MEMORY_REQUEST="1Gi")
    assert (found["OMP_NUM_THREADS"], found["options"]) == (None, [])


def test_options_of_a_template_come_after_the_containers_limit(tmp_path: Path) -> None:
    found = start(tmp_path, "a_worker", "--nthreads", "2", "--memory-limit", "5GB", DASKJOB_MEMORY_REQUEST="1Gi")
    limit = memory_limit() or "1Gi"
    assert found["options"] == ["--memory-limit", limit, "--nthreads", "2", "--memory-limit", "5GB"]
