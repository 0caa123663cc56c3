"""What the exit code of each command means; docs/command-line.md lists them."""

from __future__ import annotations

from collections.abc import Iterable

from daskjob.client.job_end import End
from daskjob.client.problems import (
    AlreadyExists,
    ClientError,
    InvalidJob,
    JobDeleted,
    NotFound,
    WrongState,
)

SUCCEEDED = 0
FAILED = 1
BAD_INPUT = 2
UNREACHABLE = 3
NOT_FOUND = 4
CANCELLED = 5
TIMED_OUT = 124
INTERRUPTED = 130
OUTPUT_CLOSED = 141

MEANINGS = {
    SUCCEEDED: "done; of a command that waits: each job succeeded",
    FAILED: "a job failed",
    BAD_INPUT: "bad input: a manifest, an option, a name that is taken, a job in another state",
    UNREACHABLE: "the cluster cannot be reached, or refused",
    NOT_FOUND: "there is no such job, pod or namespace",
    CANCELLED: "a job was cancelled or deleted",
    TIMED_OUT: "the time of `--timeout` is over; the job goes on",
    INTERRUPTED: "interrupted (Ctrl-C); the job goes on, unless it was one of `daskjob run`",
    OUTPUT_CLOSED: "who reads the output wants no more of it, as `| head` does",
}

_OF_END = {End.SUCCEEDED: SUCCEEDED, End.FAILED: FAILED, End.CANCELLED: CANCELLED, End.DELETED: CANCELLED}


def code_of_ends(ends: Iterable[End]) -> int:
    """For jobs that have ended: a failure counts most, then what was cancelled or deleted."""
    codes = {_OF_END[each] for each in ends}
    return next((each for each in (FAILED, CANCELLED) if each in codes), SUCCEEDED)


def code_of(error: ClientError) -> int:
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, JobDeleted):
        return CANCELLED
    if isinstance(error, (InvalidJob, AlreadyExists, WrongState)):
        return BAD_INPUT
    return UNREACHABLE
