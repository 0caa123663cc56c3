"""An API server with the project's definitions, for what they alone decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daskjob.schema import find_crds

from ..apiserver.server import Server, running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        applied = started.kubectl("apply", "--filename", str(Path(str(find_crds()))))
        assert applied.returncode == 0, applied.stderr
        established = started.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        assert established.returncode == 0, established.stderr
        yield started
