"""What several of these tests play."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..client.played import Play, Played, Stream, event, job, listed
from .conftest import Daskjob

On = Callable[[dict[str, list[Play]]], tuple[Played, Daskjob]]
#: What a terminal would obey.
EVIL = "\x1b[31mred\x9b2J\u202etxt\x07"


def ends(**final: Any) -> dict[str, list[Play]]:
    """The job exists, and then ends."""
    stream = Stream([event("MODIFIED", job(version="2", **final))], "stays")
    return {"list daskjobs": [listed(job())], "watch daskjobs": [stream]}
