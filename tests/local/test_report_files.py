"""`daskjob run --report`: what became of a graph, for Perfetto and a browser, and what its processes printed."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ..support.browser import browser
from ..support.drawing import drawn_report
from .conftest import Command, manifest

SUMS = """
    import os, time
    from dask.distributed import get_client, wait

    def add(x):
        print(f"printed by task {x}")
        return x + 1

    def main(rest):
        client = get_client()
        print("printed by the graph")
        futures = client.map(add, range(300), key=[("add", i) for i in range(300)])
        wait(futures)
        exec(rest)
        return sum(client.gather(futures))
"""


def trace_of(folder: Path) -> dict[str, Any]:
    with gzip.open(folder / "trace.json.gz", "rt", encoding="utf-8") as file:
        trace: dict[str, Any] = json.load(file)
    return trace


@pytest.mark.parametrize("rest", ["pass", "1 / 0"], ids=["succeeds", "fails"])
def test_a_trace_of_all_tasks_and_dasks_report(command: Command, rest: str, tmp_path: Path) -> None:
    command.write("job.yaml", manifest("sums", SUMS, graph={"args": [rest]}))
    done = command.run("job.yaml", "--report", "kept")
    assert done.returncode == (0 if rest == "pass" else 1), done.stderr
    folder = command.folder / "kept" / "sums"
    trace = trace_of(folder)
    assert trace["otherData"] == {"finished": 300, "in the trace": 300}
    keys = {each["args"]["key"] for each in trace["traceEvents"] if each["ph"] == "X" and each["cat"] == "compute"}
    assert keys == {str(("add", i)) for i in range(300)}
    assert {each["args"]["name"] for each in trace["traceEvents"] if each["name"] == "process_name"} <= {
        "worker-0",
        "worker-1",
    }
    page = (folder / "performance-report.html").read_text()
    assert "Dask Performance Report" in page
    assert "BokehJS" in page, "whole, without anything from elsewhere"
    logs = {each.name: each.read_text() for each in (folder / "logs").iterdir()}
    # Another worker may not have begun.
    assert logs.keys() - {"worker-worker-0.log", "worker-worker-1.log"} == {"runner.log", "scheduler.log"}
    assert "printed by the graph\n" in logs["runner.log"]
    for name in logs.keys() - {"runner.log"}:
        assert "distributed." in logs[name]
    printed = {line for name in logs for line in logs[name].splitlines() if line.startswith("printed by task")}
    assert printed == {f"printed by task {i}" for i in range(300)}
    for name in ("trace.json.gz (300 of 300 tasks", "performance-report.html", "logs"):
        assert f"kept/sums/{name}" in done.stderr
    if rest == "pass":
        asyncio.run(check_drawing(folder / "performance-report.html", tmp_path))


async def check_drawing(file: Path, settings: Path) -> None:
    """A browser draws the page, with every task in its task stream, and asks nobody for anything."""
    async with browser(settings) as page:
        sources, colours = await drawn_report(page, file, 120)
    assert max(sources) >= 300
    assert max(colours) > 2
    assert file.as_uri() in page.requests
    assert [each for each in page.requests if not each.startswith(("file:", "data:", "blob:"))] == []


def test_trace_and_report_outlive_a_process_that_is_killed(command: Command) -> None:
    """As the kernel does it for want of memory: what the scheduler still has is asked of it afterwards."""
    killed = "os.kill(os.getpid(), 9)"
    command.write("job.yaml", manifest("sums", SUMS, graph={"args": [killed]}, backoffLimit=0))
    done = command.run("job.yaml", "--report", "kept")
    assert done.returncode == 1
    folder = command.folder / "kept" / "sums"
    assert trace_of(folder)["otherData"] == {"finished": 300, "in the trace": 300}
    assert "Dask Performance Report" in (folder / "performance-report.html").read_text()


def test_a_folder_that_cannot_be_written_to_fails_no_job(command: Command) -> None:
    command.write("job.yaml", manifest("sums", SUMS, graph={"args": ["pass"]}))
    (command.folder / "kept").write_text("a file")
    done = command.run("job.yaml", "--report", "kept/below")
    assert done.returncode == 0, done.stderr
    assert "the report cannot be kept: " in done.stderr
