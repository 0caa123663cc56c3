"""The Secret with the payload that the Python client pickled for one job."""

from __future__ import annotations

import re

#: The payload's key in the Secret, which is also the name of its file.
KEY = "payload"
#: The most bytes of a payload: a Secret holds 1 MiB.
MOST_BYTES = 1_000_000
_NAME = re.compile(r".+-payload-[0-9a-f]{10}")


def payload_secret_name(job: str, sha256: str) -> str:
    """The name of the Secret. It follows from the job and its payload, so a job mounts its own and no other."""
    return f"{job}-payload-{sha256[:10]}"


def is_payload_secret_name(name: str) -> bool:
    """Whether a Secret of that name may be one with a job's payload."""
    return _NAME.fullmatch(name) is not None
