"""Describes a failure for the report: reason, exception, traceback without the runner's frames, and the erred task."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import re
import traceback
from typing import Any, Iterator, Optional

from daskjob import wire
from daskjob.results.codec import NotSerializable, TooLarge
from daskjob.results.opened_store import StoreProblem
from daskjob.runner import payload
from daskjob.runner.load import EntrypointMissing, ModuleMissing, cluster_words
from daskjob.runner.obstacles import full_memory
from daskjob.runner.scheduler import Scheduler
from daskjob.runner.task_exceptions import TaskRaised
from daskjob.wire.report import ARGUMENTS_BYTES

#: The report's traceback leaves out frames of these packages, because they show nothing of the user's code.
_LIBRARIES = ("dask", "distributed", "tornado", "asyncio", "concurrent", "importlib", "tblib", "<frozen", "<decorator")


def describe(error: BaseException, scheduler: Optional[Scheduler]) -> dict[str, Any]:
    """The report's `failure` for an exception from loading, running or encoding."""
    if isinstance(error, TaskRaised) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ModuleMissing):
        cause = error.__cause__ or error
        return wire.failure("ModuleNotFound", str(error), name_of(cause), _traceback(cause))
    if isinstance(error, EntrypointMissing):
        return wire.failure("EntrypointNotFound", str(error), "AttributeError")
    if isinstance(error, NotSerializable):
        return wire.failure("ResultNotSerializable", str(error))
    if isinstance(error, TooLarge):
        return wire.failure("ResultTooLarge", str(error))
    if isinstance(error, StoreProblem):
        return wire.failure(error.reason, error.message)
    if isinstance(error, payload.VersionMismatch):
        return wire.failure("VersionMismatch", str(error))
    if isinstance(error, payload.Unreadable):
        cause = error.__cause__ or error
        reason = "ModuleNotFound" if isinstance(cause, ModuleNotFoundError) else "PayloadUnreadable"
        return wire.failure(reason, str(error), name_of(cause), _traceback(cause))
    if isinstance(error, SystemExit):
        return _exit(error)
    if scheduler is not None and _is_connection_error(error) and (_lost_connection(error) or not scheduler.alive()):
        message = "the connection to the scheduler was lost, and the futures with it"
        return wire.failure("SchedulerLost", f"{message}: {error}", name_of(error), _traceback(error))
    return _raised(error, scheduler)


def _exit(error: SystemExit) -> dict[str, Any]:
    code = error.code if isinstance(error.code, int) else 1 if error.code else 0
    what = f"sys.exit({error.code!r}) was called before there was a result"
    reason = "ExitCode" if code else "ExitedEarly"
    return wire.failure(reason, what, "SystemExit", _traceback(error), exit_code=max(-255, min(255, code)))


def _raised(error: BaseException, scheduler: Optional[Scheduler]) -> dict[str, Any]:
    erred = scheduler.erred_tasks() if scheduler is not None else []
    if type(error).__name__ == "KilledWorker":
        task = str(getattr(error, "task", ""))
        message = f"the workers that ran task {task} died, each time: {error}"
        return wire.failure("WorkersKilled", message, name_of(error), None, task or None)
    match = _match(error, erred)
    if type(error).__name__ in ("NoValidWorkerError", "NoWorkerError"):
        # The scheduler raises it when its `no-workers-timeout` is set.
        return _no_worker(error, scheduler, match[0] if match else str(getattr(error, "task", "")) or None)
    if match is not None:
        key, text, remote = match
        message, kind, frames = _words(error, text, remote)
        return wire.failure("TaskFailed", message, kind, frames, key, exception_args=_arguments(error))
    behind = next((found for found in (_match(each, erred) for each in _causes(error)) if found), None)
    blamed = behind[0] if behind else None
    message, frames = _graph_message(error), _traceback(error)
    return wire.failure("EntrypointFailed", message, name_of(error), frames, blamed, exception_args=_arguments(error))


def _no_worker(error: BaseException, scheduler: Optional[Scheduler], key: Optional[str]) -> dict[str, Any]:
    """Why no worker took a task: a mistake in its own restrictions, the workers' memory, or there was none."""
    names = ("resource_restrictions", "worker_restrictions", "host_restrictions")
    resources, workers, hosts = (getattr(error, name, None) or {} for name in names)
    words = ""
    if scheduler is not None:
        words = scheduler.obstacles.mistake_in(key or "", resources, sorted(workers), sorted(hosts))
    if words:
        return wire.failure("NoSuitableWorkers", words, name_of(error), None, key)
    if scheduler is not None and scheduler.paused_limit:
        message = f"all workers are paused: {full_memory(scheduler.paused_limit)}. {_message(error)}"
        return wire.failure("WorkersPaused", message, name_of(error), None, key)
    return wire.failure("NoWorkers", _message(error), name_of(error), None, key)


def _match(error: BaseException, erred: list[tuple[str, str, str]]) -> Optional[tuple[str, str, str]]:
    """The erred task that raised this exception; also if the worker could not send it and sent its text instead."""
    forms = {_safe(repr, error), _safe(str, error)}
    for task in erred:
        if task[1] in forms:
            return task
    if type(error) is Exception and len(error.args) == 1 and isinstance(error.args[0], (bytes, bytearray)):
        return erred[0] if erred else None
    if _from_worker(error):
        # The texts may differ between processes, because they may contain an address in memory.
        return next((task for task in erred if task[1].startswith(f"{type(error).__name__}(")), None)
    return None


def _words(error: BaseException, text: str, trace: str) -> tuple[str, str, Optional[str]]:
    """Message, exception type and traceback of a task's exception."""
    stood_in = type(error) is Exception and not text.startswith("Exception(")
    if not stood_in:
        return _message(error), name_of(error), _traceback(error)
    name = re.match(r"[\w.]+", text)
    frames = f"Traceback (most recent call last):\n{_without_libraries(trace)}{text}"
    return text, name.group() if name else "Exception", frames


def _from_worker(error: BaseException) -> bool:
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(os.path.join("distributed", "worker.py") in file for file in files)


def _causes(error: BaseException) -> Iterator[BaseException]:
    visited: set[int] = {id(error)}
    following: Optional[BaseException] = error.__cause__ or error.__context__
    while following is not None and id(following) not in visited:
        visited.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _is_connection_error(error: BaseException) -> bool:
    kinds: tuple[type[BaseException], ...] = (OSError, asyncio.TimeoutError, asyncio.CancelledError)
    kinds += (concurrent.futures.TimeoutError, concurrent.futures.CancelledError)
    for each in (error, *_causes(error)):
        if isinstance(each, kinds) or type(each).__name__ in ("ClosedClientError", "FutureCancelledError"):
            return True
    return False


def _lost_connection(error: BaseException) -> bool:
    return any(getattr(each, "reason", None) == "scheduler-connection-lost" for each in (error, *_causes(error)))


def name_of(error: BaseException) -> str:
    module, name = type(error).__module__, type(error).__qualname__
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


def _message(error: BaseException) -> str:
    return _safe(str, error) or type(error).__name__


def _graph_message(error: BaseException) -> str:
    """The message of an exception from building or sending the graph. Of a graph that cannot be sent, Dask's names a
    class of its own, and the cause what is in the graph."""
    message = _message(error)
    if "Could not serialize" not in message or error.__cause__ is None:
        return f"{message}{cluster_words(error)}"
    return f"the graph cannot be sent to the scheduler: {_message(error.__cause__)}: open or make it inside the task"


def _safe(form: Any, error: BaseException) -> str:
    try:
        return str(form(error))
    except Exception as broken:
        return f"(its text cannot be had: {type(broken).__name__})"


def _arguments(error: BaseException) -> Optional[str]:
    """What the exception's type takes to be made anew, as JSON; None if that says not all."""
    try:
        kind, arguments = _reduced(error)
        text = json.dumps(list(arguments), allow_nan=False)
        whole = kind is type(error) and json.loads(text) == list(arguments)
    except Exception:
        return None
    return text if whole and len(text) <= ARGUMENTS_BYTES else None


def _reduced(error: BaseException) -> tuple[Any, Any]:
    """What makes the exception anew, by its own account: its type and the arguments."""
    parts: Any = error.__reduce__()
    return parts[0], parts[1]


def _traceback(error: BaseException) -> Optional[str]:
    """The traceback as Python prints it, but only with frames of user code, or, without any, the last frames of
    libraries; None if there is no frame."""
    try:
        whole = traceback.TracebackException(type(error), error, error.__traceback__, limit=-200)
        _shorten(whole, set())
        return "".join(whole.format()) if whole.stack or isinstance(error, SyntaxError) else None
    except Exception as broken:
        return f"(no traceback: {type(broken).__name__})"


def _shorten(whole: traceback.TracebackException, visited: set[int]) -> None:
    if id(whole) in visited:
        return
    visited.add(id(whole))
    frames = [frame for frame in whole.stack if not _is_ours(frame.filename)]
    user = [frame for frame in frames if not _is_library(frame.filename)]
    whole.stack = traceback.StackSummary.from_list(user or frames[-5:])
    for link in (whole.__cause__, whole.__context__):
        if link is not None:
            _shorten(link, visited)


def _is_ours(file: str) -> bool:
    return f".pyz{os.sep}daskjob{os.sep}" in file


def _is_library(file: str) -> bool:
    parts = file.replace(os.sep, "/").split("/")
    folders = {"site-packages", "dist-packages", "lib"}
    starts = [index + 1 for index, part in enumerate(parts[:-1]) if part in folders or part.startswith("python3")]
    return parts[0] in _LIBRARIES or parts[0].startswith("<frozen") or any(parts[at] in _LIBRARIES for at in starts)


def _without_libraries(trace: str) -> str:
    """The text of a traceback without frames of libraries; a frame has two lines."""
    frames = re.split(r"(?m)^(?=  File \")", trace)
    user = [frame for frame in frames if not _is_library((re.findall(r'^  File "([^"]*)"', frame) or [""])[0])]
    return "".join(user or frames)
