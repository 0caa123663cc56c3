"""How Dask's processes start and stop in their containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daskjob.manifests.cluster import LAUNCH

#: As Dask's own: handles the signal, then leaves the rest to its caller.
SIGNALS = """\
import asyncio, signal

async def wait_for_signals():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    print("ready", flush=True)
    await told.wait()
    return signal.SIGTERM
"""
CLOSES = """\
import asyncio, sys
from distributed._signals import wait_for_signals

async def main():
    await wait_for_signals()

asyncio.run(main())
print("closed", *sys.argv[1:], flush=True)
"""
HANGS = """\
import asyncio
from distributed._signals import wait_for_signals

async def main():
    await wait_for_signals()
    await asyncio.Event().wait()

asyncio.run(main())
"""
STARTS = """\
import signal
print("ready", flush=True)
signal.pause()
"""


def run(folder: Path, module: str, source: str, signals: str = SIGNALS) -> tuple[int, str]:
    """Exit code and further output of the module that is told to stop as soon as it is ready."""
    (folder / "distributed").mkdir()
    (folder / "distributed" / "__init__.py").touch()
    (folder / "distributed" / "_signals.py").write_text(signals)
    (folder / f"{module}.py").write_text(source)
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, module, "--port", "8786"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    return process.returncode, output


def test_dask_may_close_by_itself(tmp_path: Path) -> None:
    assert run(tmp_path, "closes", CLOSES) == (0, "closed --port 8786\n")


def test_a_process_that_does_not_come_to_its_end_is_ended(tmp_path: Path) -> None:
    assert run(tmp_path, "hangs", HANGS) == (128 + signal.SIGTERM, "")


@pytest.mark.parametrize("signals", [SIGNALS, "", "raise ImportError('no such module in this release')"])
def test_it_hears_the_signal_while_it_starts(tmp_path: Path, signals: str) -> None:
    assert run(tmp_path, "starts", STARTS, signals) == (128 + signal.SIGTERM, "")
