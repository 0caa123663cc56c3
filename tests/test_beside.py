"""`--beside`: two processes of pytest with one summary and one exit code, as `tests/run` starts them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PASSES = "def test_passes():\n    pass\n"
OTHERS = """
import pytest

def test_fails():
    print("what it printed")
    assert 1 + 1 == 3

def test_passes_as_well():
    pass

@pytest.mark.skip(reason="not here")
def test_is_left_out():
    pass
"""


def run(folder: Path, here: str, beside: str, *more: str) -> subprocess.CompletedProcess[str]:
    """pytest with our options, of one file, and of another one beside it."""
    (folder / "test_here.py").write_text(here)
    (folder / "test_beside.py").write_text(beside)
    plugin = "-p tests.conftest -p no:cacheprovider"
    command = [sys.executable, "-m", "pytest", *plugin.split(), "--rootdir", str(folder), "-ra", *more]
    command += ["test_here.py", f"--beside={plugin} --rootdir {folder} test_beside.py"]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        # A shell that runs the tests in its background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )


def summary(done: subprocess.CompletedProcess[str]) -> str:
    """The last line, without the time."""
    return re.sub(r" in [\d.]+s.*", "", done.stdout.splitlines()[-1]).strip("= ")


def test_tests_of_both_are_counted_together(tmp_path: Path) -> None:
    done = run(tmp_path, PASSES, PASSES)
    assert (done.returncode, summary(done)) == (0, "2 passed"), done.stdout


@pytest.mark.parametrize("here", [PASSES, PASSES + "\ndef test_fails_here():\n    assert not 1\n"])
def test_what_fails_beside_is_reported_as_if_it_were_here(tmp_path: Path, here: str) -> None:
    done = run(tmp_path, here, OTHERS)
    failures = 1 + here.count("assert")
    assert (done.returncode, summary(done)) == (1, f"{failures} failed, 2 passed, 1 skipped"), done.stdout
    assert "assert (1 + 1) == 3" in done.stdout
    assert "what it printed" in done.stdout
    assert "FAILED test_beside.py::test_fails" in done.stdout


def test_a_test_that_is_skipped_beside_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, PASSES, OTHERS.replace("== 3", "== 2"), "--fail-on-skip")
    assert (done.returncode, summary(done)) == (1, "3 passed, 1 skipped"), done.stdout
    assert "some tests were skipped" in done.stdout


def test_a_process_beside_that_ends_amid_its_tests_fails_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, PASSES, PASSES + "\ndef test_ends():\n    import os\n    os._exit(7)\n")
    assert (done.returncode, summary(done)) == (1, "1 passed, 1 error"), done.stdout
    assert "test_beside.py ended with 7" in done.stdout
    assert "rootdir: " in done.stdout.split("ended with 7")[1], "its own words"


def test_an_interrupt_ends_both(tmp_path: Path) -> None:
    interrupted = "def test_is_interrupted():\n    raise KeyboardInterrupt\n"
    done = run(tmp_path, interrupted, "def test_lasts():\n    import time\n    time.sleep(3600)\n")
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout
