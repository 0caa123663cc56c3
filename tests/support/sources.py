"""Code that jobs of tests run, and when such a job is so far that a fault can strike it."""

from __future__ import annotations

from typing import Any

#: Tasks of about a second each, told apart by their arguments.
COUNT = """
    import time
    from dask import delayed

    def step(number):
        time.sleep(1)
        return number

    def main(count):
        return delayed(sum)([delayed(step)(number) for number in range(count)])
"""
ADD = "def main(x=1):\n    return x + 1\n"
#: A file for which code of a job waits in its container, until a test has done what it has to do before it ends:
#: `Job.let_go` makes it. On a busy machine, no number of seconds would be enough.
GO = "/tmp/daskjob-tests-go"
WAITS = f"""
    import os
    import time

    def main(result):
        while not os.path.exists({GO!r}):
            time.sleep(0.1)
        return result
"""
SLEEP = "import time\n\n\ndef main(seconds):\n    time.sleep(seconds)\n    return seconds\n"
#: Its first attempt fails, each later one gives 3.
FAILS_AT_FIRST = """
    import os

    def main():
        if os.environ["DASKJOB_ATTEMPT"] == "1":
            raise RuntimeError("not yet")
        return 3
"""
#: In its first attempt one task is done at once and the others never end; every later attempt gives 6 at once.
ENDLESS_AT_FIRST = """
    import os
    import time
    from dask import delayed

    def step(number, seconds):
        time.sleep(seconds)
        return number

    def main():
        first = delayed(step)(2, 0)
        seconds = 600 if os.environ["DASKJOB_ATTEMPT"] == "1" else 0
        # They wait for the first, or a worker might begin with them.
        return delayed(sum)([first, delayed(step)(first, seconds), delayed(step)(first, seconds)])
"""
#: Takes memory step by step and touches every page of it, so that it is really used.
HOARD = """
    import time

    def hoard(mebibytes):
        taken = []
        for _ in range(0, mebibytes, 16):
            taken.append(bytearray(b"x") * (16 * 1024**2))
            time.sleep(0.02)
        return len(taken)
"""


def computing(status: dict[str, Any]) -> bool:
    """Whether a task was done, and the operator has said so."""
    return status.get("phase") == "Running" and status.get("progress", {}).get("done", 0) > 0


def in_phase(phase: str) -> Any:
    """For `Job.reaches`: whether the job is in that phase."""
    return lambda status: status.get("phase") == phase
