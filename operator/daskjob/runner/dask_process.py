"""`python3 runner.pyz --dask MODULE CODE FIRST LATER ARGUMENTS`: a scheduler, or workers, as `python3 -m MODULE
ARGUMENTS` starts them, with the job's code first on the path. The image's own PYTHONPATH and working folder stay as
they are.
"""

from __future__ import annotations

import contextlib
import functools
import os
import runpy
import signal
import socket
import sys
import time
from typing import Any, Optional

from daskjob.runner.cuda_start import end_without_gpus, end_without_package
from daskjob.runner.hiding import hide_package, own_place
from daskjob.runner.name_clashes import explain_failures
from daskjob.runner.output_copy import keep_output
from daskjob.runner.preloads import end_with_preloads, watch_children
from daskjob.runner.stale_errors import forget_errors
from daskjob.runner.surroundings import PACKAGES_VARIABLE, memory_limit, settle_in, stand_in_for_nanny
from daskjob.runner.unattended import Unattended

#: The modules of Dask's commands that start workers.
DASK_WORKER, DASK_CUDA = "distributed.cli.dask_worker", "dask_cuda.cli"
#: Seconds in which a worker looks for its scheduler before it starts all the same.
LOOKING = 15


def run(arguments: list[str]) -> int:
    """Runs Dask's program. Returns when it does.

    `arguments`: the module; the folder of the job's code (empty: it is in the image); seconds without a contact after
    which the process leaves, before and after the first one; the module's arguments, of which a worker's first is the
    scheduler's address. Before anything else is imported, the process sees to a home, a user's name and a working
    folder; a worker also sets what Dask's nanny would set, and takes the memory limit of its container. An option that
    a template adds comes later, and counts.
    """
    # Without a handler, PID 1 of a container ignores SIGTERM, and a Dask worker that must stop while its scheduler
    # stops sometimes waits for ever; either costs the 2 s after which the kubelet kills it. For the scheduler, the
    # closed connection is as good as a farewell.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    keep_output()
    module, code, first, later = arguments[:4]
    sys.argv[1:] = arguments[4:]
    cuda = module == DASK_CUDA
    worker = cuda or module.endswith("worker")
    nanny = cuda or "--nanny" in sys.argv
    environment, folder = dict(os.environ), _working_folder()
    _set_path(code)
    explain_failures(code)
    if cuda:
        end_without_package()
    unattended = Unattended(float(first), float(later), "Nanny" if nanny else "Worker" if worker else "Scheduler")
    unattended.check(lambda: _listens(sys.argv[1]))
    settle_in()
    if worker:
        stand_in_for_nanny()
        if cuda:
            end_without_gpus()
        limit = memory_limit()
        if limit:
            sys.argv[2:2] = ["--memory-limit", limit]
        look_for(sys.argv[1])
    if worker and not nanny:
        _restart_in_place(environment, folder)
    end_with_preloads(sys.argv)
    if nanny:
        watch_children(sys.argv)
    try:
        from distributed import _signals as untyped_signals
    except ImportError:
        # A release of Dask that has no such module: nobody sees to it that the process leaves by itself.
        pass
    else:
        signals: Any = untyped_signals
        signals.wait_for_signals = unattended.watch_or_wait
    forget_errors()
    hide_package(own_place())
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "/"


def _set_path(code: str) -> None:
    """What `python3 -m` would have on the path, and before it the job's code and its packages."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, "")
    packages = os.environ.get(PACKAGES_VARIABLE, "")
    sys.path[:0] = filter(None, [code, packages])
    if packages:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")]))


def look_for(scheduler: str) -> None:
    """Waits until a worker's scheduler answers at its address, 15 s at most.

    A worker that starts before its scheduler can be reached would find that out late: Dask's own attempts grow rare,
    and a packet that was lost before the Service was routed is sent again only after a second. So the worker first
    imports Dask and then tries to connect in short attempts, 20 a second, with TLS's handshake, without which the
    scheduler would log a warning, and the first byte of Dask's, without which the scheduler could lose another
    connection (`daskjob.runner.reach` says why).
    """
    from distributed import Security

    make_security: Any = Security
    context = make_security().get_connection_args("worker").get("ssl_context")
    until = time.monotonic() + LOOKING
    while time.monotonic() < until:
        found: list[Any] = []
        with contextlib.suppress(OSError, ValueError):
            found += socket.getaddrinfo(*_place(scheduler), type=socket.SOCK_STREAM)
        again = time.monotonic() + 1
        while time.monotonic() < again:
            if any(_answers(each, context) for each in found):
                return
            time.sleep(0.05)


def _place(scheduler: str) -> tuple[str, int]:
    host, _, port = scheduler.rpartition("//")[2].rpartition(":")
    return host.strip("[]"), int(port)


def _listens(scheduler: str) -> bool:
    try:
        socket.create_connection(_place(scheduler), 3).close()
    except (OSError, ValueError):
        return False
    return True


def _answers(found: Any, context: Optional[Any]) -> bool:
    family, kind, protocol, _, address = found
    try:
        with socket.socket(family, kind, protocol) as plain:
            plain.settimeout(0.15)
            plain.connect(address)
            if context is not None:
                plain.settimeout(10)
                with context.wrap_socket(plain) as encrypted:
                    encrypted.recv(1)
    except OSError:
        return False
    return True


def _restart_in_place(environment: dict[str, str], folder: str) -> None:
    """Has a worker that `Client.restart` closes take the place of its own process, in the same container, two seconds
    later at the latest: about as long as a nanny lets a worker close.

    Dask's scheduler closes workers without a nanny then, and hopes for the best; the kubelet starts a container that
    has ended with ever longer pauses, so that the fourth restart would come too late. Processes that its tasks left
    behind end. A worker that is retired, or whose scheduler closes, ends as ever. `environment`, `folder`: what the
    process began with.
    """
    import threading

    try:
        from distributed import Worker as untyped_worker

        worker: Any = untyped_worker
        close, command = worker.close, [sys.executable, *sys.orig_argv[1:]]  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, AttributeError):
        # Python 3.9 does not know how it was started.
        return

    def begin_again() -> None:
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        os.chdir(folder)
        os.execve(sys.executable, command, environment)

    @functools.wraps(close)
    async def closing(self: Any, *args: Any, **kwargs: Any) -> Any:
        again = kwargs.get("reason") == "scheduler-remove-worker" and self.status.name in ("running", "paused")
        if again:
            threading.Timer(2, begin_again).start()
        try:
            return await close(self, *args, **kwargs)
        finally:
            if again:
                begin_again()

    worker.close = closing
