"""One control plane for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..apiserver.server import Server
from .control_plane import running_control_plane


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Server]:
    with running_control_plane() as server:
        yield server
