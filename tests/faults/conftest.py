"""One control plane for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..apiserver.server import Server
from .plane import control_plane


@pytest.fixture(scope="session")
def plane() -> Iterator[Server]:
    with control_plane() as server:
        yield server
