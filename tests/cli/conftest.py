"""The command `daskjob` against a played API server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from daskjob.cli.commands import daskjob

from ..client.conftest import Start, play, short_pauses
from ..client.played import Play, Played

__all__ = ["Daskjob", "play", "short_pauses"]

Daskjob = Callable[..., Result]


@pytest.fixture
def on(play: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Played, Daskjob]]:
    """Starts a played server; gives it, and the command."""

    def start(plays: dict[str, list[Play]]) -> tuple[Played, Daskjob]:
        server = play(plays)
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        return server, lambda *arguments: CliRunner().invoke(daskjob, list(arguments), catch_exceptions=False)

    return start
