"""One control plane for all tests here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ..apiserver.server import Server
from .plane import control_plane


@pytest.fixture(scope="session")
def plane() -> Iterator[Server]:
    with control_plane() as server:
        yield server


#: The long ones are run by hand: they want a machine for themselves.
collect_ignore = [] if os.environ.get("DASKJOB_FAULTS") == "all" else ["test_twins.py", "test_chaos.py"]
