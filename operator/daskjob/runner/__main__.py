"""`python3 runner.pyz`: the supervisor; `python3 runner.pyz --child READ_FD WRITE_FD`: its child;
`python3 runner.pyz --fetch ORDERS`: what brings the job's code into a pod; `python3 runner.pyz --save ORDERS`: what
keeps logs, trace and report of an attempt; `python3 runner.pyz --remove ORDERS`: what deletes a job's results;
`python3 runner.pyz --dask …`: scheduler and workers (`runner.dask_process`)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from daskjob.runner.log_copy import LogCopy


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 the graph succeeded, 1 it failed, 3 the runner could not report the outcome."""
    if arguments[:1] == ["--child"]:
        from daskjob.runner.child import run

        # User code may read its own arguments, as scripts do: it has none.
        del sys.argv[1:]
        return run(int(arguments[1]), int(arguments[2]))
    if arguments[:1] == ["--fetch"]:
        from daskjob.fetch.program import run as fetch

        return fetch(arguments[1])
    if arguments[:1] == ["--save"]:
        from daskjob.runner.saver import run as save

        return save(arguments[1])
    if arguments[:1] == ["--remove"]:
        from daskjob.runner.removal import run as remove

        return remove(arguments[1])
    if arguments[:1] == ["--dask"]:
        from daskjob.runner.dask_process import run as dask

        return dask(arguments[1:])
    from daskjob.runner.surroundings import settle_in

    settle_in()
    log = _copy_log()
    # Start the child first: its imports take long, and the supervisor starts meanwhile.
    from daskjob.runner.process_group import Child

    child = Child()
    from daskjob.runner.supervise import supervise

    if log is None:
        return supervise(child)
    try:
        return supervise(child, log.drain)
    finally:
        log.end()


def _copy_log() -> Optional[LogCopy]:
    """What copies the log, if somebody wants it."""
    # The variable of `wire.jobfile`, whose import would hold up the child.
    path = os.environ.get("DASKJOB_LOG_COPY")
    if not path:
        return None
    from daskjob.runner.log_copy import LogCopy

    try:
        return LogCopy(path)
    except OSError as error:
        print(f"daskjob: the log is not copied: {error}", file=sys.stderr, flush=True)
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
