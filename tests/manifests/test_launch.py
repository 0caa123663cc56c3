"""How Dask's processes start and stop in their containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daskjob.manifests.cluster import LAUNCH

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


def run(folder: Path, module: str, source: str, signals: str = SIGNALS) -> int:
    """Exit code of the module that is told to stop as soon as it is ready."""
    (folder / "distributed").mkdir()
    (folder / "distributed" / "__init__.py").touch()
    (folder / "distributed" / "_signals.py").write_text(signals)
    (folder / f"{module}.py").write_text(source)
    command = [sys.executable, "-c", LAUNCH, module, "--port", "8786"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
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
