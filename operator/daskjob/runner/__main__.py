"""`python3 runner.pyz`: the supervisor; `python3 runner.pyz --child READ_FD WRITE_FD`: its child;
`python3 runner.pyz --fetch ORDERS`: what brings the job's code into a pod."""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 the graph succeeded, 1 it failed, 3 the runner could not report the outcome."""
    if arguments[:1] == ["--child"]:
        from daskjob.runner.child import run

        return run(int(arguments[1]), int(arguments[2]))
    if arguments[:1] == ["--fetch"]:
        from daskjob.fetch.program import run as fetch

        return fetch(arguments[1])
    from daskjob.runner.surroundings import settle_in

    settle_in()
    # Start the child first: its imports take long, and the supervisor starts meanwhile.
    from daskjob.runner.process_group import Child

    child = Child()
    from daskjob.runner.supervise import supervise

    return supervise(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
