"""`python3 runner.pyz`: the supervisor; `python3 runner.pyz --child READ_FD WRITE_FD`: its child."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """The exit code: 0 succeeded, 1 failed, 3 finished but could not report it."""
    if arguments[:1] == ["--child"]:
        from daskjob.runner.child import run

        return run(int(arguments[1]), int(arguments[2]))
    # First of all: the child takes long to import what it needs, everything else happens meanwhile.
    from daskjob.runner.process_group import Child

    child = Child()
    from daskjob.runner.supervise import supervise

    return supervise(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
