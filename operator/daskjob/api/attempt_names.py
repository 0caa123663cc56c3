"""The names of an attempt and of its objects."""

from __future__ import annotations

import re

from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.tokens import ALPHABET, NONCE_LENGTH

#: An attempt's name must leave room, within 63 characters, for the names of its scheduler's Service and its worker
#: groups, whose own names have 15.
MAX_ATTEMPT_NAME = 63 - 1 - 15
_NAME = re.compile(rf".+-[0-9a-f]{{5}}-([0-9]{{1,10}})-([{ALPHABET}]{{{NONCE_LENGTH}}})(?=-|$)")
_KEY = re.compile(r"[a-z][-a-z0-9]{0,14}")
_FILES = re.compile(rf".+-[0-9a-f]{{5}}-[0-9]+-[{ALPHABET}]{{{NONCE_LENGTH}}}-files")


def attempt_name(job: str, uid: str, number: int, nonce: str = "") -> str:
    """The name of an attempt's cluster and report. The UID's first characters differ from those of an earlier job of
    the same name. `nonce`: drawn, so that nobody else can have the name before; empty: the name has no such part. A
    long name of a job is cut."""
    rest = f"-{uid[:5]}-{number}" + (f"-{nonce}" if nonce else "")
    return job[: MAX_ATTEMPT_NAME - len(rest)].rstrip("-") + rest


def attempt_in(name: str, job: str, uid: str) -> str | None:
    """The name of an attempt with which the name of an object begins; None: it is not that of an object of this job.
    `job`, `uid`: the job's name and UID."""
    found = _NAME.match(name)
    if found is None or attempt_name(job, uid, int(found[1]), found[2]) != found[0]:
        return None
    return found[0]


def runner_name(attempt: str) -> str:
    """The name of the runner's pod."""
    return f"{attempt}-runner"


def resolver_name(attempt: str) -> str:
    """The name of the pod that finds the commit of the code."""
    return f"{attempt}-source"


def remover_name(name: str, number: int) -> str:
    """The name of the pod that deletes a job's results. `name`: as of an attempt, but for the pod alone."""
    return f"{name}-remove-{number}"


def files_name(attempt: str) -> str:
    """The name of the Secret with what the pods mount."""
    return f"{attempt}-files"


def is_files_name(name: str) -> bool:
    """Whether a Secret of that name may be one with the files of an attempt."""
    return _FILES.fullmatch(name) is not None


def scheduler_name(attempt: str) -> str:
    """The name of the scheduler: of its Service, and of its pod, which dask-kubernetes calls so."""
    return f"{attempt}-scheduler"


def group_name(attempt: str, key: str = DEFAULT_GROUP) -> str:
    """The name of a worker group, that of the default one by dask-kubernetes. `key`: its name in the spec."""
    return f"{attempt}-{key}"


def group_key(name: str, attempt: str) -> str | None:
    """The key of the worker group of that name; None: it is none of the attempt's."""
    key = name.removeprefix(f"{attempt}-")
    return key if key != name and _KEY.fullmatch(key) else None
