"""An API server with the project's definitions, for what they alone decide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..apiserver.server import Server, with_definitions


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with with_definitions() as started:
        yield started
