"""Functions of `@daskjob.job`: plain ones when they are called, and jobs by `remote`."""

from __future__ import annotations

from pathlib import Path

import pytest

import daskjob
from daskjob.futures import connecting

from .conftest import Start
from .played import Answer
from .test_futures import Connect, connect, created

__all__ = ["connect"]


def test_a_decorated_function_is_itself_and_a_job(connect: Connect) -> None:
    server, client = connect({"create daskjobs": [created], "create secrets": [Answer({})]})

    @daskjob.job(client=client, workers=4)
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    assert (double(2), double.local(2), double.__doc__) == (4, 4, "Twice as much.")
    future = double.with_options(image="i").remote(3)
    [request] = [each for each in server.asked if each.what == "create daskjobs"]
    assert request.body["spec"]["cluster"] == {"workers": {"replicas": 4}, "image": "i"}
    assert future.name.startswith("double-")


def test_what_can_be_decorated(connect: Connect) -> None:
    """With options or without, and a method, whose object travels with the call."""
    server, client = connect({"create daskjobs": [created], "create secrets": [Answer({})]})

    @daskjob.job
    def plain(number: int) -> int:
        return number + 1

    class Model:
        factor = 3

        @daskjob.job(workers=2)
        def scaled(self, number: int) -> int:
            return self.factor * number

    assert (plain(1), Model().scaled(2)) == (2, 6)
    assert plain.on(client).remote(1).name.startswith("plain-")
    assert Model().scaled.on(client).remote(2).name.startswith("scaled-")
    assert server.times("create daskjobs") == 2


def test_a_decorated_function_goes_where_was_connected_last(
    play: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else would be expected after `connect(backend="local")`, say."""

    @daskjob.job
    def plain(number: int) -> int:
        return number + 1

    monkeypatch.setattr(connecting, "_last", None)
    servers = []
    for name in ("first", "last"):
        (tmp_path / name).mkdir()
        servers.append(play({"create daskjobs": [created], "create secrets": [Answer({})]}))
        daskjob.connect(kubeconfig=servers[-1].kubeconfig(tmp_path / name))
    plain.remote(1)
    assert [each.times("create daskjobs") for each in servers] == [0, 1]
