"""A played API server and a client of it; pauses between tries are short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daskjob.client import pod_log, transport, watching
from daskjob.client.credentials import Target
from daskjob.client.job_client import JobClient

from .played import Play, Played

Start = Callable[[dict[str, list[Play]]], Played]
Connected = Callable[[dict[str, list[Play]]], tuple[Played, JobClient]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watching, "POLL", 0.02)
    monkeypatch.setattr(transport, "PAUSES", (0.01, 0.02))
    monkeypatch.setattr(pod_log, "FIRST_PAUSE", 0.01)
    proxies = (form(f"{each}_proxy") for each in ("http", "https", "no", "all") for form in (str.lower, str.upper))
    for name in ("KUBERNETES_SERVICE_HOST", "KUBECONFIG", *proxies):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def play() -> Iterator[Start]:
    """Starts servers that play what is written down."""
    started: list[Played] = []

    def start(plays: dict[str, list[Play]]) -> Played:
        started.append(Played(plays))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def connected(play: Start, tmp_path: Path) -> Connected:
    """A played server, and a client of it whose namespace is `team`."""

    def connect(plays: dict[str, list[Play]]) -> tuple[Played, JobClient]:
        server = play(plays)
        return server, JobClient(Target(kubeconfig=str(server.kubeconfig(tmp_path))))

    return connect
