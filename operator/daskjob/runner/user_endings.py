"""What user code does when it is done, as in scripts that end by themselves."""

from __future__ import annotations

import atexit
import functools
import sys
from typing import Any

from distributed import Client

from daskjob.runner.scheduler import Scheduler


def keep_cluster(scheduler: Scheduler) -> None:
    """Makes `Client.shutdown` close the client alone, if it is one of the job's scheduler: the job still needs its
    cluster for what the entry point returns, and the operator removes it afterwards."""
    owner: Any = Client
    shut_down = owner._shutdown

    @functools.wraps(shut_down)
    async def shut_down_or_close(client: Any, *args: Any, **kwargs: Any) -> Any:
        identity = getattr(client, "_scheduler_identity", None) or {}
        if identity.get("id") != scheduler.identity:
            return await shut_down(client, *args, **kwargs)
        words = "Client.shutdown closes the client alone; scheduler and workers go when the job has ended"
        print(f"daskjob: {words}", file=sys.stderr, flush=True)
        return await client._close()

    owner._shutdown = shut_down_or_close


def forget_handlers() -> None:
    """Forgets what libraries have registered with `atexit` so far, so that only what user code registers, itself or by
    what it imports, runs at the end: the child ends without Python's own shutdown, which would wait for threads."""
    atexit._clear()
