"""Writes and reads the parts of reports and termination messages.

The runner's pod runs user code, so the readers here take everything from it as hostile: they drop unknown and malformed
fields, clamp numbers, cut texts, and remove control characters.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone
from enum import Enum
from typing import Mapping, Optional

from daskjob.results.codec import STORED_BYTES, TYPES_BYTES, sha256, stored_size
from daskjob.results.store import FORMATS
from daskjob.results.stored_size import text_size
from daskjob.wire.clean_text import clip
from daskjob.wire.field_readers import (
    Reader,
    Shape,
    json_text,
    list_of,
    load_json,
    matching,
    number_in,
    one_of,
    read_mapping,
    read_time,
    sub_object,
    text_of,
)
from daskjob.wire.runner_deadline import REASONS as DEADLINE_REASONS

#: Version of the job file and the report: the runner refuses a job file of another one.
PROTOCOL = 1
SUCCEEDED = "Succeeded"
FAILED = "Failed"


class Stage(str, Enum):
    """How far the runner is with its graph."""

    STARTING = "Starting"
    CONNECTED = "Connected"
    RUNNING = "Running"
    FINISHED = "Finished"

    __str__ = str.__str__


#: Why a store cannot be used. `results.opened_store` has them as well, because it imports nothing of this project, and
#: this module not that one, because the supervisor of a runner imports it first.
STORE_REASONS = ("StoreDriverMissing", "StoreNotFound", "StoreForbidden", "StoreUnavailable")
#: Why nothing of what became of an attempt is in its store.
SAVE_REASONS = (*STORE_REASONS, "ReportLost")
#: Why code cannot be fetched (`daskjob.fetch`).
FETCH_REASONS = (
    "SourceNotFound",
    "RevisionNotFound",
    "SourceForbidden",
    "SourceRefused",
    "SourceUnreachable",
    "SourceTimedOut",
    "GitMissing",
    "PipFailed",
)
#: Why a graph failed, as far as a runner can know; `api.constants.Reason` begins with these.
REASONS = (
    "ModuleNotFound",
    "EntrypointNotFound",
    "EntrypointFailed",
    "TaskFailed",
    "WorkersKilled",
    "WorkersPaused",
    "NoSuitableWorkers",
    "NoFreeThreads",
    "ResultNotSerializable",
    "ResultTooLarge",
    "ExitedEarly",
    "ExitCode",
    "Signal",
    "SchedulerUnreachable",
    "SchedulerLost",
    "NoWorkers",
    "Cancelled",
    "InvalidJob",
    "FilesChanged",
    *FETCH_REASONS,
    *STORE_REASONS,
    "PreloadFailed",
    "DaskCudaMissing",
    "WrongGpuCount",
    "VersionMismatch",
    "PayloadUnreadable",
    *DEADLINE_REASONS,
)
#: What a runner can wait for although all its processes run; with the last, the graph has its value.
WAITS = ("WorkersPaused", "NoFreeThreads", "WorkersIdle", "Importing", "FireAndForget")
TIMINGS = ("runnerStarted", "connected", "firstWorker", "graphStarted", "graphFinished")
COUNTS = ("total", "done", "processing", "erred")

# Texts are cut to these bytes of UTF-8. The definition of reports allows more, for a later runner's sake.
MESSAGE_BYTES = 1024
TRACEBACK_BYTES = 4096
NAME_BYTES = 256
LOCATION_BYTES = 1536
#: A longer preview is left out.
PREVIEW_BYTES = 32 * 1024
#: Arguments that take more are left out: half of them would make another exception.
ARGUMENTS_BYTES = 1024
TERMINATION_LOG = "/dev/termination-log"
#: Kubernetes keeps 4 KiB of a container's termination message.
TERMINATION_BYTES = 3072
#: Of them, what the report says of what was saved takes at most so many.
SAVED_BYTES = 768
#: Longer lists are cut.
MAX_PREFIXES = 50
MAX_RETIRED = 1000
MAX_TYPES = 10_000
MAX_WAITS = 10
MAX_GROUPS = 9
#: Larger numbers are clamped to it: up to here every reader of JSON has whole numbers.
MAX_COUNT = 2**53
MAX_WORKERS = 1_000_000


def failure(
    reason: str,
    message: str,
    exception_type: Optional[str] = None,
    traceback: Optional[str] = None,
    task_key: Optional[str] = None,
    exit_code: Optional[int] = None,
    exception_args: Optional[str] = None,
) -> Shape:
    """A report's `failure`, with texts cleaned and cut to their limits (of a traceback the start is cut); without parts
    that are None."""
    shape = {
        "reason": reason,
        "message": message,
        "exceptionType": exception_type,
        "exceptionArgs": exception_args,
        "traceback": traceback,
        "taskKey": task_key,
        "exitCode": exit_code,
    }
    return _failure({name: value for name, value in shape.items() if value is not None})


def failed(reason: str, message: str, exception_type: Optional[str] = None, exit_code: Optional[int] = None) -> Shape:
    """The end of an attempt that failed: `{outcome, failure}`, with what `failure` makes of the arguments."""
    return {"outcome": FAILED, "failure": failure(reason, message, exception_type, exit_code=exit_code)}


def parse_report(status: object) -> Shape:
    """The well-formed fields of a report's status, bounded and cleaned; {} if there are none.

    Never raises. A `result` whose value is not JSON text keeps only its type and size; a wrong size or digest is
    corrected. A failure whose reason is none of `REASONS` becomes EntrypointFailed.
    """
    return read_mapping(status, _REPORT)


def parse_termination_message(text: object) -> Shape:
    """`{protocol, outcome, result?, failure?, truncated?}` of a container's termination message; {} if it is none."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str) or len(text) > 4 * TERMINATION_BYTES:
        return {}
    shape = read_mapping(load_json(text), _TERMINATION)
    return shape if "outcome" in shape and "protocol" in shape else {}


def termination_message(
    outcome: str, result: Optional[Shape] = None, failure: Optional[Shape] = None, saved: Optional[Shape] = None
) -> str:
    """JSON of at most 3 KiB. If the result's value does not fit: its type, size and digest, and `truncated`; if
    `saved` does not, it is left out."""
    message: Shape = {"protocol": PROTOCOL, "outcome": outcome}
    if saved is not None and len(_dump(saved).encode()) <= SAVED_BYTES:
        message["saved"] = saved
    if result is not None:
        message["result"] = result
    if failure is not None:
        message["failure"] = dict(failure)
    text = _dump(message)
    if len(text.encode()) > TERMINATION_BYTES and result is not None:
        short = ("type", "format", "location", "size", "sha256", "python")
        message["result"] = {name: result[name] for name in short if name in result}
        message["truncated"] = "value" in result
        text = _dump(message)
    # Escapes can make a text several times as long as its bytes: halve until it fits.
    limit = TRACEBACK_BYTES
    if len(text.encode()) > TERMINATION_BYTES and failure is not None:
        message["failure"].pop("exceptionArgs", None)
        text = _dump(message)
    while len(text.encode()) > TERMINATION_BYTES and failure is not None:
        limit //= 2
        message["truncated"] = True
        for name, keep_end in (("traceback", True), ("message", False), ("taskKey", False), ("exceptionType", False)):
            if name in message["failure"]:
                message["failure"][name] = clip(message["failure"][name], limit, keep_end)
        text = _dump(message)
    return text


def leave_termination_message(end: Shape) -> None:
    """Writes `{outcome, result?, failure?, saved?}` to where the kubelet, or a local run, looks for the last words of
    this process. Raises OSError."""
    path = os.environ.get("DASKJOB_TERMINATION_LOG") or TERMINATION_LOG
    if path == TERMINATION_LOG and not os.path.exists(path):
        # Not in a pod.
        return
    # Written in place, because the kubelet mounts the file itself.
    with open(path, "w", encoding="utf-8") as file:
        file.write(termination_message(end["outcome"], end.get("result"), end.get("failure"), end.get("saved")))


def discarded_words(count: int, forgotten: int = 0, limit: float = 0) -> str:
    """What a report's `discarded` means, for people. `forgotten`, `limit`: of its `fireAndForget`, if it has one."""
    tasks = "1 task was not finished and was" if count == 1 else f"{count} tasks were not finished and were"
    if not forgotten:
        return f"{tasks} thrown away: nobody waited for {'it' if count == 1 else 'them'}"
    others = ", and nobody waited for the others" if count > forgotten else ""
    return f"{tasks} thrown away: a job waits at most {limit:g} s for tasks of fire_and_forget ({forgotten}){others}"


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds, of seconds since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _types(value: object) -> Optional[dict[str, str]]:
    if not isinstance(value, Mapping):
        return None
    types: dict[str, str] = {}
    room = TYPES_BYTES
    for pointer, name in value.items():
        if not isinstance(pointer, str) or not isinstance(name, str) or not _TYPE.fullmatch(name):
            continue
        if pointer and not pointer.startswith("/"):
            continue
        room -= len(pointer) + len(name) + 6
        if room < 0 or len(types) == MAX_TYPES:
            break
        types[pointer.encode("utf-8", "replace").decode()] = name
    return types or None


def _arguments(value: object) -> Optional[str]:
    """The text of a JSON list, unchanged; None for anything else."""
    if not isinstance(value, str) or len(value) > ARGUMENTS_BYTES or not value.isascii() or not value.isprintable():
        return None
    return value if isinstance(load_json(value), list) else None


def _result(value: object) -> Optional[Shape]:
    shape = read_mapping(value, _RESULT)
    if "type" not in shape:
        return None
    preview = text_size(shape["preview"]) if "preview" in shape else 0
    if "value" in shape and stored_size(shape["value"], shape.get("types", {})) + preview > STORED_BYTES:
        # The runner refuses it before.
        del shape["value"]
    if "value" in shape:
        data = shape["value"].encode()
        shape["size"], shape["sha256"] = len(data), sha256(data)
    else:
        shape.pop("types", None)
    return shape


def _short_location(value: object) -> Optional[str]:
    """A location that takes no more where Kubernetes stores it: a job's status has ten."""
    text = _location(value)
    return text if text is None or text_size(text) <= LOCATION_BYTES + 2 else None


def _failure(value: object) -> Shape:
    shape = read_mapping(value, _FAILURE)
    if shape.get("reason") not in REASONS:
        claimed = shape.get("reason", "")
        text = f"{claimed}: {shape.get('message', '')}".strip(": \n\t")
        shape = {**shape, "reason": "EntrypointFailed", "message": clip(text, MESSAGE_BYTES)}
        if not text:
            del shape["message"]
    return shape


_TYPE = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
_count = number_in(0, MAX_COUNT)
_line = text_of(NAME_BYTES, lines=False)
_location = matching(r"[a-z][a-z0-9+.-]*://[!-~]+", LOCATION_BYTES)
_PREFIX = {"name": _line, **dict.fromkeys(COUNTS, _count)}
_GROUP: dict[str, Reader] = {
    "name": matching("[a-z]([-a-z0-9]*[a-z0-9])?", 15),
    **dict.fromkeys(("connected", "wanted"), number_in(0, MAX_WORKERS)),
}
_RESULT: dict[str, Reader] = {
    "type": text_of(NAME_BYTES, lines=False),
    "format": one_of(FORMATS),
    "location": _location,
    "preview": json_text(PREVIEW_BYTES),
    "value": json_text(STORED_BYTES),
    "types": _types,
    "size": _count,
    "sha256": matching("[0-9a-f]{64}", 64),
    "python": matching(r"[0-9]+\.[0-9]+[0-9a-z.+]*", 32),
}
_FAILURE: dict[str, Reader] = {
    "reason": matching("[A-Z][A-Za-z]+", 64),
    "message": text_of(MESSAGE_BYTES),
    "exceptionType": _line,
    "exceptionArgs": _arguments,
    "traceback": text_of(TRACEBACK_BYTES, keep_end=True),
    "taskKey": _line,
    "exitCode": number_in(-255, 255),
}
_outcome = one_of((SUCCEEDED, FAILED))
_protocol = number_in(1, 1000)
_REPORT: dict[str, Reader] = {
    "protocol": _protocol,
    "seq": _count,
    "heartbeatTime": read_time,
    "stage": one_of(Stage),
    "progress": sub_object(
        {**dict.fromkeys(COUNTS, _count), "prefixes": list_of(sub_object(_PREFIX, ("name",)), MAX_PREFIXES)},
        ("total", "done"),
    ),
    "workers": sub_object(
        {
            **dict.fromkeys(("connected", "threads", "wanted"), number_in(0, MAX_WORKERS)),
            "groups": list_of(sub_object(_GROUP, ("name",)), MAX_GROUPS),
            "retired": list_of(matching(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", 253), MAX_RETIRED),
        }
    ),
    "waiting": list_of(
        sub_object({"reason": one_of(WAITS), "message": text_of(MESSAGE_BYTES)}, ("reason",)), MAX_WAITS
    ),
    "timings": sub_object(dict.fromkeys(TIMINGS, read_time)),
    "result": _result,
    "failure": lambda value: _failure(value) if isinstance(value, Mapping) else None,
    "outcome": _outcome,
    "discarded": _count,
    "saved": sub_object(
        {"location": _short_location, "reason": one_of(SAVE_REASONS), "message": text_of(MESSAGE_BYTES, lines=False)}
    ),
    "fireAndForget": sub_object({"unfinished": _count, "limitSeconds": _count}, ("unfinished", "limitSeconds")),
}
_TERMINATION: dict[str, Reader] = {
    "protocol": _protocol,
    "outcome": _outcome,
    "result": _REPORT["result"],
    "failure": _REPORT["failure"],
    "saved": _REPORT["saved"],
    "truncated": lambda value: True if value is True else None,
}
