"""The errors of futures, beside those of `daskjob.client.problems`. Each message says what is wrong and what to do.

DaskJobError
├── PayloadTooLarge     function and arguments do not fit into a Secret
├── NotPicklable        something of them cannot be pickled
├── VersionMismatch     the image cannot open what this Python pickled
├── JobFailed           the job failed, not by an exception of the user's code
├── RemoteError         the user's code raised an exception that cannot be made anew here
├── JobCancelled        the job was cancelled (also a concurrent.futures.CancelledError)
├── ResultGone          the job succeeded and its result cannot be had
└── UntrustedResult     the result is a pickle of a job that this process did not submit
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping, Sequence
from typing import Any

from daskjob.errors import DaskJobError


class PayloadTooLarge(DaskJobError):
    """Function and arguments do not fit. Attributes: `size` and `limit` in bytes; `parts`: the largest of them, by
    name, in bytes."""

    def __init__(self, size: int, limit: int, parts: Mapping[str, int]) -> None:
        largest = ", ".join(f"{name} {count}" for name, count in parts.items())
        super().__init__(
            f"function and arguments take {size} bytes pickled and compressed, and {limit} are allowed (the largest, "
            f"as pickles: {largest}); nothing was created: have the job read large data itself, from storage or the "
            "image"
        )
        self.size, self.limit, self.parts = size, limit, dict(parts)


class NotPicklable(DaskJobError):
    """`path`: what cannot be pickled, as far as it is known, such as `args[0].lock`."""

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(
            f"{path} cannot be pickled ({cause}); nothing was created: open or make it inside the function"
        )
        self.path = path


class JobFailed(DaskJobError):
    """The job failed. Attributes: `reason`, `message`, `name`, `namespace`, `attempts` (as the status has them)."""

    def __init__(self, job: Mapping[str, Any], failure: Mapping[str, Any]) -> None:
        metadata, status = job["metadata"], job.get("status") or {}
        self.reason, self.message = str(failure.get("reason") or ""), str(failure.get("message") or "")
        self.name, self.namespace = str(metadata["name"]), str(metadata.get("namespace") or "")
        self.attempts = tuple(status.get("attempts") or ())
        super().__init__(f"job {self.namespace}/{self.name}: {self.reason}: {self.message}".rstrip(": "))


class VersionMismatch(JobFailed):
    """The image cannot open what this Python pickled; the message has both sides' versions."""


class RemoteError(JobFailed):
    """The user's code raised an exception that cannot be made anew here. Attributes: `type_name`; `traceback`, a
    text."""

    def __init__(self, job: Mapping[str, Any], failure: Mapping[str, Any]) -> None:
        super().__init__(job, failure)
        self.type_name = str(failure.get("exceptionType") or "Exception")
        self.traceback = str(failure.get("traceback") or "")
        self.args = (f"{self.type_name}: {self.message}",)


class RemoteTraceback(Exception):
    """The cause of an exception that was raised in a job: the traceback, as a text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text.rstrip()}\n"""'


class JobCancelled(concurrent.futures.CancelledError, DaskJobError):
    """The job was cancelled, by this future or somebody else."""


class ResultGone(DaskJobError):
    """The job succeeded, and its result cannot be had: it was not kept, is not what the job wrote, or cannot be read
    from here. The message says which, and what to do; `result()` may be called again."""


class UntrustedResult(DaskJobError):
    """The result is a pickle of a job that this process did not submit."""


def words(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
