"""How Dask's processes start and stop in their containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daskjob.manifests.launch import LAUNCH

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

#: A scheduler that does not answer at first, or never.
CORE = """\
import json, os

class Comm:
    def abort(self):
        print("hung up", flush=True)

tried = []

async def connect(address, timeout, **arguments):
    tried.append([address, timeout, arguments])
    if len(tried) <= int(os.environ["SILENT"]):
        raise OSError("no route")
    print(json.dumps(tried[-1]), flush=True)
    return Comm()
"""
SECURITY = """\
class Security:
    def get_connection_args(self, role):
        return {"role": role}
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
    command = [sys.executable, "-c", LAUNCH, module, "600", "600", "--port", "8786"]
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


@pytest.mark.parametrize(("silent", "patience"), [(0, 0.5), (2, 1.5), (99, None)])
def test_a_worker_looks_for_its_scheduler_in_short_attempts_and_starts_in_any_case(
    tmp_path: Path, silent: int, patience: float | None
) -> None:
    """`silent`: so many attempts fail; `patience`: seconds that the one may take that succeeds."""
    source = "import sys\nprint('ready', *sys.argv[1:], flush=True)"
    environment = install(tmp_path, "a_worker", source, __init__=SECURITY, core=CORE) | {"SILENT": str(silent)}
    command = [sys.executable, "-c", LAUNCH, "a_worker", "600", "600", "tls://s:8786"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    answered = [f'["tls://s:8786", {patience}, {{"role": "worker"}}]', "hung up"] if patience is not None else []
    assert said.splitlines() == [*answered, "ready tls://s:8786"]


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
    assert {name: tuple(command[4:6]) for name, command in commands.items()} == {
        "scheduler": scheduler,
        "worker": worker,
    }
