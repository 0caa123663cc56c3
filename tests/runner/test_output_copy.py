"""What scheduler and workers print is kept, and goes where it went before, whatever user code does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daskjob.runner.output_copy import CUT_AFTER, CUT_BEFORE, KEPT_OUTPUT, OUTPUT_VARIABLE, add_output, cut_output

BEGIN = """\
import io, logging, os, sys, threading
logging.basicConfig()
from daskjob.runner.output_copy import keep_output
keep_output()
"""


def run(program: str, file: Path | None, unbuffered: str = "1") -> tuple[int, bytes]:
    """How it ended, and what stdout and stderr got, which are one pipe."""
    environment = {**os.environ, OUTPUT_VARIABLE: str(file or ""), "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("unbuffered", ["1", ""])
@pytest.mark.parametrize(
    "program",
    [
        "print('one'); print('two', file=sys.stderr); sys.__stdout__.write('three')",
        "sys.stdout.buffer.write(bytes(range(256))); sys.stdout.flush(); sys.stdout.buffer.writelines([b'a', b'b'])",
        "sys.stdout = io.StringIO(); print('nobody'); sys.stdout = sys.__stdout__; print('back')",
        "import contextlib\nwith contextlib.redirect_stdout(sys.stderr): print('elsewhere')",
        "logging.warning('by a handler that was there before'); print(sys.stdout, sys.stderr)",
        "import warnings; warnings.warn('careful'); 1 / 0",
        "print('\\u00e4\\u2713 \\ud800'.encode('utf-8', 'replace')); print('a\\r\\nb\\r')",
        "os.closerange(3, 100); print('all files are closed')",
        "import signal; signal.signal(signal.SIGALRM, lambda *_: print('alarm'))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)\nfor i in range(200): print(i)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)",
        "pid = os.fork()\nif not pid: print('child', flush=True); os._exit(0)\nos.waitpid(pid, 0); print('parent')",
        "def go(n):\n    for i in range(300): print(n, i)\n"
        "all = [threading.Thread(target=go, args=(n,)) for n in range(4)]\n"
        "[each.start() for each in all]; [each.join() for each in all]",
    ],
)
def test_what_python_prints_is_in_both(tmp_path: Path, program: str, unbuffered: str) -> None:
    code, output = run(program, tmp_path / "copy", unbuffered)
    assert code == ("1 / 0" in program)
    assert output
    # Two threads write in one order to the pipe and in another one to the file.
    assert sorted((tmp_path / "copy").read_bytes()) == sorted(output)


def test_what_is_written_past_python_is_in_no_file(tmp_path: Path) -> None:
    program = "print('python'); os.write(1, b'past it\\n'); os.system('echo a process')"
    code, output = run(program, tmp_path / "copy")
    assert (code, output) == (0, b"python\npast it\na process\n")
    assert (tmp_path / "copy").read_bytes() == b"python\n"


def test_without_the_variable_nothing_is_changed() -> None:
    code, output = run("print(type(sys.stdout.buffer).__name__, type(sys.stderr.buffer).__name__)", None)
    assert (code, output.split()) == (0, [b"FileIO", b"FileIO"])


def test_a_killed_process_leaves_it_and_the_next_goes_on(tmp_path: Path) -> None:
    code, _ = run("print('first'); os.kill(os.getpid(), 9)", tmp_path / "copy")
    assert code == -signal.SIGKILL
    run("print('second')", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"first\nsecond\n"


def test_of_a_flood_from_several_processes_the_end_is_kept(tmp_path: Path) -> None:
    program = (
        "child = os.fork()\nfor i in range(8000): sys.stdout.write('%07d-%s\\n' % (i, 'x' * 91))\n"
        "if child: os.waitpid(child, 0); print('the end')\n"
    )
    code, output = run(program, tmp_path / "copy")
    assert code == 0
    assert len(output) == 2 * 8000 * 100 + len("the end\n")
    first, _, rest = (tmp_path / "copy").read_bytes().partition(b"\n")
    gone = int(first.removeprefix(CUT_BEFORE).removesuffix(CUT_AFTER[:-1]))
    assert gone + len(rest) == len(output)
    assert KEPT_OUTPUT / 2 < len(rest) <= 2 * KEPT_OUTPUT
    assert rest.endswith(b"the end\n")
    assert {len(line) for line in rest.splitlines()[:-1]} == {99}


@pytest.mark.parametrize("before", [b"", b"a\n", CUT_BEFORE + b"7" + CUT_AFTER + b"b\n"])
@pytest.mark.parametrize("data", [b"x" * (3 * KEPT_OUTPUT), b"line\n" * KEPT_OUTPUT])
def test_a_cut_counts_what_is_gone(before: bytes, data: bytes) -> None:
    total = 7 + len(b"b\n") + len(data) if before.startswith(CUT_BEFORE) else len(before) + len(data)
    after = cut_output(before, data)
    first, _, rest = after.partition(CUT_AFTER)
    assert int(first.removeprefix(CUT_BEFORE)) + len(rest) == total
    assert data.endswith(rest)
    assert KEPT_OUTPUT - 5 < len(rest) <= KEPT_OUTPUT


@pytest.mark.parametrize("place", ["folder", "no/such/folder", "link", "pipe", "a\0b"])
def test_where_nothing_can_be_kept_it_is_printed_all_the_same(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    if "\0" in place:
        add_output(place, b"x")
        return
    assert run("print('x')", tmp_path / place) == (0, b"x\n")
    assert not (tmp_path / "elsewhere").exists()
