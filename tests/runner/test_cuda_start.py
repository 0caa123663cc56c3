"""What `command: cuda` looks at before it starts dask-cuda, of which only what is asked here is played.

With the real package, and an imitation of NVIDIA's library: `e2e/gpu_workers.py`, by hand.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from daskjob.api.constants import Reason
from daskjob.lifecycle.pods import Termination
from daskjob.runner.surroundings import PROCESSES_VARIABLE

from ..support.dask_command import dask_command

NOWHERE = "tls://nowhere:8786"
#: Of a module that stands for dask_cuda.utils.
FINDS = "def get_n_gpus():\n    return {}\n"
NO_LIBRARY = "def get_n_gpus():\n    raise OSError('NVML Shared Library Not Found')\n"
NO_BINDINGS = "raise ImportError(\"cannot import name 'bindings' from 'cuda'\")\n"
#: Stands for dask_cuda.cli.
SHOWS = "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"


def play(folder: Path, **modules: str) -> None:
    """A package dask_cuda with these modules."""
    package = folder / "played" / "dask_cuda"
    package.mkdir(parents=True)
    for name, text in {"__init__": "", **modules}.items():
        (package / f"{name}.py").write_text(text)


def start(folder: Path, command: list[str], processes: int) -> tuple[Termination, str, str]:
    """How a process ended in whose path the played package is, and what it printed to stdout and stderr."""
    last = folder / "last-words"
    own = {"DASKJOB_TERMINATION_LOG": str(last), "DASKJOB_RECORD_FOLDER": str(folder)}
    environment = {**os.environ, **own, "PYTHONPATH": str(folder / "played"), PROCESSES_VARIABLE: str(processes)}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    message = last.read_text() if last.exists() else ""
    return Termination(done.returncode, "Error", message), done.stdout, done.stderr


def test_an_image_without_dask_cuda_says_so_at_once(tmp_path: Path) -> None:
    end, _, log = start(tmp_path, dask_command(tmp_path, "dask_cuda.cli", NOWHERE), 1)
    assert (end.own_reason, end.exit_code) == (Reason.DASK_CUDA_MISSING, 1)
    assert "the image has no dask-cuda, with which command: cuda starts workers" in end.words
    assert "distributed" not in log


@pytest.mark.parametrize(
    ("utils", "processes", "reason", "words"),
    [
        (NO_BINDINGS, 1, Reason.DASK_CUDA_MISSING, "cannot be imported: ImportError: cannot import name 'bindings'"),
        (NO_LIBRARY, 1, Reason.WRONG_GPU_COUNT, "finds no GPU here (OSError: NVML Shared Library Not Found): give the"),
        (FINDS.format(0), 1, Reason.WRONG_GPU_COUNT, "finds no GPU here (NVIDIA's library says 0): give the workers"),
        (FINDS.format(2), 1, Reason.WRONG_GPU_COUNT, "each GPU that it finds here, which is 2, and processes is 1: "),
        (FINDS.format(1), 2, Reason.WRONG_GPU_COUNT, "each GPU that it finds here, which is 1, and processes is 2: "),
    ],
    ids=["a part of it is missing", "no driver", "no GPU", "more GPUs than processes", "fewer"],
)
def test_what_dask_cuda_would_not_tell(tmp_path: Path, utils: str, processes: int, reason: Reason, words: str) -> None:
    """On a cluster, and where `daskjob run` starts it."""
    play(tmp_path, utils=utils, cli=SHOWS)
    here = [sys.executable, "-m", "daskjob.runner.preloads", "dask_cuda.cli", "--scheduler-file", "s"]
    for command in (dask_command(tmp_path, "dask_cuda.cli", NOWHERE), here):
        end, shown, log = start(tmp_path, command, processes)
        assert (end.own_reason, end.exit_code) == (reason, 1), log
        assert words in end.words
        assert f"daskjob: {reason}: " in log
        assert not shown


def test_it_starts_with_as_many_gpus_as_processes(tmp_path: Path) -> None:
    play(tmp_path, utils=FINDS.format(2), cli=SHOWS)
    with socket.create_server(("127.0.0.1", 0)) as scheduler:
        address = f"tcp://127.0.0.1:{scheduler.getsockname()[1]}"
        command = dask_command(tmp_path, "dask_cuda.cli", address, "--nthreads", "1", "--preload", "mine")
        end, shown, log = start(tmp_path, command, 2)
    assert end.exit_code == 0, log
    arguments = json.loads(shown)
    own = arguments[-3]
    assert arguments[0] == address
    assert arguments[-6:] == ["--nthreads", "1", "--preload", own, "--preload", "mine"]
    # By it the workers under dask-cuda's nannies hide the runner's program, before the job's own preloads.
    assert own.endswith("daskjob_watches_preloads.py")
