"""The files that an attempt's pods mount and that do not follow from the job alone.

The specs of the pods have digests of them, so they are there before the first object is created, and the same bytes go
into the objects afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AttemptFiles:
    """`certificate` and `key`: in PEM, drawn once for the attempt; `job_file`: the runner's orders; `program`: the
    runner's zipapp. Empty where pods are only judged."""

    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    job_file: bytes = b""
    program: bytes = b""
