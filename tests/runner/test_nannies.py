"""Workers of several processes, which a nanny starts, as their containers start them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daskjob.runner.surroundings import PROCESSES_VARIABLE, REQUEST_VARIABLE

from .conftest import CODE, PYTHON, wait_for
from .dask_pods import a_scheduler, certificate

LOOKS = """\
import json, sys, distributed

def look(folder, dask_worker):
    import after_an_error, os, sys
    assert after_an_error.read(folder) == "None"
    assert not [name for name in sys.modules if name.partition(".")[0] == "daskjob"]
    names = ("OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_", "PYTHONHASHSEED")
    return dask_worker.name, os.getppid(), dask_worker.memory_manager.memory_limit, [os.environ[each] for each in names]

with distributed.Client(sys.argv[1]) as client:
    found = []
    for _ in range(2):
        client.wait_for_workers(2)
        found.append(sorted(client.run(look, sys.argv[2]).values()))
        client.restart(timeout=60)
    print(json.dumps(found))
"""


def test_several_processes(launched: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have the worker's name, a number and their part of its memory; they forget what went wrong with other
    connections; `Client.restart` restarts them; they leave with their scheduler."""
    certificate(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(CODE))
    scheduler, address = a_scheduler(launched, later=6.0)
    monkeypatch.setenv(PROCESSES_VARIABLE, "2")
    monkeypatch.setenv(REQUEST_VARIABLE, "300000000")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    options = ("--nanny", "--nworkers", "2", "--name", "pod-a", "--nthreads", "1")
    worker = launched("dask_worker", address, *options, later=12.0)
    wait_for("its record", lambda: [*worker.folder.glob(".daskjob-*")])
    [record] = worker.folder.glob(".daskjob-*")
    first = wait_for("its time", record.read_text)
    done = subprocess.run([PYTHON, "-c", LOOKS, address, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    pid, before, after = worker.process.pid, *json.loads(done.stdout)
    assert [row[:2] for row in before] == [["pod-a-0", pid], ["pod-a-1", pid]]
    assert before == after
    limits = {row[2] for row in before}
    assert len(limits) == 1
    assert [row[3] for row in before] == [["3", "65536", "6640"]] * 2, "what the environment says counts"
    found = float(wait_for("another time", lambda: record.read_text().replace(first, "")))
    wait_for("a later time, for it has its scheduler", lambda: float(record.read_text() or 0) > found + 1)
    scheduler.leaves()
    assert worker.process.wait(60) == 0, worker.log.read_text()
