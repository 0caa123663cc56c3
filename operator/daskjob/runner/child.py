"""The child: connects to the scheduler, loads and runs user code, encodes the result, and sends it to the
supervisor."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
import os
import sys
import threading
import time
from typing import Any, Callable

from daskjob import wire
from daskjob.results.codec import NotSerializable, TooLarge
from daskjob.results.opened_store import by_place
from daskjob.results.status_store import StatusStore
from daskjob.results.store import ResultStore
from daskjob.runner.channel import Channel
from daskjob.wire import jobfile

#: Seconds that the child waits for the supervisor to acknowledge the outcome.
HANDOVER = 30.0


def run(read_fd: int, write_fd: int) -> int:
    """Runs the job. It does not return: the process ends once the supervisor has the outcome."""
    child = _Child(read_fd, write_fd)
    child.run()
    return 1


class _Child:
    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._clients: list[Callable[[], Any]] = []
        self._ending = threading.Lock()
        self._pid = os.getpid()
        self._channel = Channel(read_fd, write_fd, self._cancel)

    def run(self) -> None:
        scheduler: Any = None
        started = ""
        try:
            job = jobfile.read()
            from daskjob.runner.load import add_packages

            add_packages()
            try:
                from daskjob.runner.scheduler import Scheduler
            except ImportError as error:
                self.end(_missing_dask(error))
            from daskjob.runner.stale_errors import forget_errors

            forget_errors()
            scheduler = Scheduler(job, self._channel.send, self._fail, _recording(job))
            self._channel.go.wait()
            from daskjob.runner.load import load, prepare_path

            folder = prepare_path(job.code_path)
            client = self._connect(job, scheduler)
            kept = None
            if job.store is not None:
                from daskjob.runner.stored_result import StoredResult

                kept = StoredResult(job, job.store)
                kept.try_from_runner()
            from daskjob.runner import task_exceptions, user_endings
            from daskjob.runner.forgotten import Forgotten
            from daskjob.runner.script import watched

            forgotten = Forgotten()
            user_endings.keep_cluster(scheduler)
            user_endings.forget_handlers()
            task_exceptions.accept()
            scheduler.obstacles.imports(job.module, folder)
            if job.payload_path is not None:
                from daskjob.runner import payload

                target, job = payload.opened(job, job.payload_path)
            else:
                with watched(job.module, folder):
                    target = load(job.entrypoint, folder)
            scheduler.obstacles.has_imported()
            if not scheduler.wait(scheduler.enough_workers):
                self.end(wire.failed("NoWorkers", _no_workers(job, scheduler)))
            if kept is not None:
                kept.try_from_worker(client, scheduler.some_worker)
            from daskjob.runner.execute import execute

            started = wire.timestamp(time.time())
            self._channel.send({"stage": wire.Stage.RUNNING, "timings": {"graphStarted": started}})
            spread: Any = kept.spread if kept is not None else lambda value: None
            value = execute(target, job, client, lambda: self._open_client(job), spread)
            left = forgotten.wait(scheduler, job.forgotten_seconds)
            finished = wire.timestamp(time.time())
            store: ResultStore = kept if kept is not None else StatusStore(job.result_bytes)
            if job.payload_path is not None:
                # A future gives what the function returned.
                store = payload.store_for(target, job.result_bytes, kept)
            end: dict[str, Any] = {"outcome": wire.SUCCEEDED, "result": store.put(value)}
            if scheduler.unfinished:
                end["discarded"] = scheduler.unfinished
                if left:
                    end["fireAndForget"] = {"unfinished": left, "limitSeconds": round(job.forgotten_seconds)}
                words = wire.discarded_words(scheduler.unfinished, left, job.forgotten_seconds)
                print(f"daskjob: {words}", file=sys.stderr, flush=True)
        except BaseException as error:
            finished = wire.timestamp(time.time())
            end = self._describe(error, scheduler)
        if started:
            end["timings"] = {"graphFinished": finished}
        if scheduler is not None:
            end.update(scheduler.refresh())
        self.end(end)

    def end(self, end: dict[str, Any]) -> None:
        """Sends the outcome to the supervisor and ends the process. Only the first call, from any thread, does so."""
        if os.getpid() != self._pid:
            # User code forked this process and returned in the fork as well.
            os._exit(0)
        self._ending.acquire()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        self._channel.send(end)
        self._channel.acknowledged.wait(HANDOVER)
        try:
            # A thread ends the child while user code runs.
            if threading.current_thread() is threading.main_thread():
                atexit._run_exitfuncs()
        finally:
            os._exit(0 if end["outcome"] == wire.SUCCEEDED else 1)

    def _describe(self, error: BaseException, scheduler: Any) -> dict[str, Any]:
        if scheduler is None and not isinstance(error, jobfile.InvalidJob):
            import traceback

            traceback.print_exc()
            return wire.failed("InvalidJob", f"the runner itself failed: {error!r}")
        if isinstance(error, jobfile.InvalidJob):
            return wire.failed("InvalidJob", str(error))
        from daskjob.results.opened_store import StoreProblem
        from daskjob.runner import exceptions as failure
        from daskjob.runner import load

        end: dict[str, Any] = {"outcome": wire.FAILED, "failure": failure.describe(error, scheduler)}
        # For the pod's log.
        if not _is_local():
            known = (NotSerializable, TooLarge, StoreProblem, load.ModuleMissing, load.EntrypointMissing)
            if not isinstance(error, known):
                import traceback

                traceback.print_exception(type(error), error, error.__traceback__)
            print(f"daskjob: {end['failure']['reason']}: {end['failure'].get('message', '')}", file=sys.stderr)
        if isinstance(error, NotSerializable):
            end["result"] = {"type": error.type}
        elif isinstance(error, TooLarge):
            end["result"] = {"type": error.type, "size": error.size}
        return end

    def _connect(self, job: jobfile.JobFile, scheduler: Any) -> Any:
        """Opens the client for user code, which from now on is Dask's default client."""
        import dask
        import distributed

        make_client: Any = distributed.Client
        # A bare `Client()` in user code connects to this scheduler.
        dask.config.set({"scheduler-address": job.scheduler})
        while scheduler.wait(scheduler.connected):
            try:
                client = make_client(job.scheduler, timeout=10)
            except (OSError, TimeoutError) as error:
                scheduler.last_error = f"{type(error).__name__}: {error}"
                time.sleep(0.2)
                continue
            self._clients.append(functools.partial(_cancel_futures, client))
            return client
        self.end(wire.failed("SchedulerUnreachable", _unreachable(job, scheduler)))

    async def _open_client(self, job: jobfile.JobFile) -> Any:
        """Opens a client of the running event loop, which replaces the other one as Dask's default."""
        import asyncio

        import distributed

        make_client: Any = distributed.Client
        client = await make_client(job.scheduler, asynchronous=True, timeout=30)
        loop = asyncio.get_running_loop()
        self._clients.append(lambda: loop.call_soon_threadsafe(_cancel_futures, client))
        return client

    def _cancel(self) -> None:
        print("daskjob: cancelled; this is where it was:", file=sys.stderr, flush=True)
        faulthandler.dump_traceback()
        from distributed import Client

        own: list[Callable[[], Any]] = [functools.partial(_cancel_futures, each) for each in _open_clients(Client)]
        for cancel in [*self._clients, *own]:
            try:
                cancel()
            except Exception as error:
                print(f"daskjob: futures could not be cancelled: {error!r}", file=sys.stderr, flush=True)

    def _fail(self, failure: dict[str, Any]) -> None:
        if not _is_local():
            print(f"daskjob: {failure['reason']}: {failure.get('message', '')}", file=sys.stderr, flush=True)
        self.end({"outcome": wire.FAILED, "failure": failure})


def _recording(job: jobfile.JobFile) -> Any:
    """What keeps the task stream, if somebody wants it."""
    if jobfile.RECORDING_VARIABLE not in os.environ or (job.report_orders and not job.report_orders.records):
        return None
    from daskjob.runner.recording import Recording

    try:
        return Recording(os.environ[jobfile.RECORDING_VARIABLE])
    except OSError as error:
        print(f"daskjob: nothing of the graph can be recorded: {error}", file=sys.stderr, flush=True)
        return None


def _is_local() -> bool:
    """Whether this is a local run, which prints the failure itself, from the report's file."""
    return os.environ.get("DASKJOB_REPORT", "").startswith("file:")


def _open_clients(kind: Any) -> list[Any]:
    """The clients that user code opened itself, but for those of event loops. `kind`: their class."""
    found = [each for each in list(getattr(kind, "_instances", ())) if each.status == "running"]
    return [each for each in found if not getattr(each, "_asynchronous", False)]


def _cancel_futures(client: Any) -> Any:
    from distributed import Future

    futures: list[Any] = [Future(key, client) for key in list(client.futures)]
    answer = client.cancel(futures, force=True)
    if client.asynchronous:
        import asyncio

        return asyncio.ensure_future(answer)
    return None


def _missing_dask(error: ImportError) -> dict[str, Any]:
    place = by_place("this image", "this Python")
    message = f"{place} cannot import dask and distributed ({error}): use one that has both"
    return wire.failed("ModuleNotFound", message, type(error).__name__)


def _unreachable(job: jobfile.JobFile, scheduler: Any) -> str:
    return (
        f"no connection to the scheduler at {job.scheduler} within {job.scheduler_timeout:g} s: {scheduler.last_error}"
    )


def _no_workers(job: jobfile.JobFile, scheduler: Any) -> str:
    joined = scheduler.joined
    lacking = [each for each in job.groups if joined[each.name] < each.min_workers]
    counts = [f"{joined[each.name]} of {each.min_workers} workers{_of(each.name, job)}" for each in lacking]
    return f"{', '.join(counts)} registered with the scheduler within {job.scheduler_timeout:g} s"


def _of(group: str, job: jobfile.JobFile) -> str:
    return f" of group {group}" if len(job.groups) > 1 else ""
