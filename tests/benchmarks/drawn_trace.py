"""Has a browser draw the trace of a job with many tasks, and counts what the viewer has.

    python -m tests.benchmarks.drawn_trace --tasks 120000

Runs the job on this machine (`daskjob run --report`), opens its trace in speedscope (an npm package, which is kept in
~/.cache/daskjob) in Debian's Chromium, and ends with an error unless the viewer has every task, and asked no network.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..support.browser import browser
from ..support.drawing import drawn_trace

SPEEDSCOPE = "1.25.0"
CODE = """
def add(x):
    return x + 1

def main(client, n):
    futures = client.map(add, range(n), key=[("add", i) for i in range(n)])
    return sum(client.gather(futures))
"""


def viewer() -> Path:
    """The page of speedscope; installed if it is not there."""
    home = Path.home() / ".cache" / "daskjob" / f"speedscope-{SPEEDSCOPE}"
    page = home / "node_modules" / "speedscope" / "dist" / "release" / "index.html"
    if not page.exists():
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            home,
            f"speedscope@{SPEEDSCOPE}",
        ]
        subprocess.run(command, check=True)
    return page


def trace_of(tasks: int, folder: Path) -> bytes:
    """The trace of a job of so many tasks, which runs here."""
    (folder / "many.py").write_text(CODE)
    command = [sys.executable, "-m", "daskjob.cli", "run", "many.py:main", str(tasks), "--report", "kept"]
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True)
    [file] = folder.glob("kept/*/trace.json.gz")
    print(f"ran {time.monotonic() - began:.0f} s; the trace has {file.stat().st_size} bytes", flush=True)
    return file.read_bytes()


async def draw(trace: bytes, folder: Path) -> tuple[int, list[str], bytes]:
    """How many tasks the viewer has, what it asked of a network, and its picture."""
    async with browser(folder / "settings") as page:
        found = await drawn_trace(page, viewer(), trace, folder, 300)
        elsewhere = [each for each in page.requests if not each.startswith(("file:", "data:", "blob:"))]
        return found["counts"].get("add", 0), elsewhere, await page.picture()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=120_000)
    parser.add_argument("--picture", type=Path, help="keep there what the viewer looks like (PNG)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        trace = trace_of(options.tasks, Path(name))
        began = time.monotonic()
        tasks, elsewhere, picture = asyncio.run(draw(trace, Path(name)))
    if options.picture:
        options.picture.write_bytes(picture)
    print(f"drawn in {time.monotonic() - began:.0f} s: {tasks} of {options.tasks} tasks; asked elsewhere: {elsewhere}")
    sys.exit(0 if tasks == options.tasks and not elsewhere else 1)


if __name__ == "__main__":
    main()
