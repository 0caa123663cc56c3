"""Changes of jobs: those that are tried again, and those that are dry."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from daskjob.client.problems import ClusterUnreachable

from .conftest import Connected
from .played import Answer, job, status


@pytest.mark.parametrize(("answer", "asked"), [(429, 2), (503, 1)])
def test_a_change_is_tried_again_if_it_was_not_looked_at(connected: Connected, answer: int, asked: int) -> None:
    busy = status(answer, "Busy", "too many requests")
    server, client = connected({"get daskjobs/one": [Answer(job())], "patch daskjobs/one": [busy, Answer(job())]})
    with contextlib.nullcontext() if asked == 2 else pytest.raises(ClusterUnreachable):
        client.cancel("one")
    assert server.times("patch daskjobs/one") == asked


@pytest.mark.parametrize("change", ["cancel", "suspend", "retry", "delete", "create"])
def test_what_is_dry_changes_nothing(connected: Connected, change: str) -> None:
    """The API server is told so, or not asked."""
    verbs = {"delete": "delete daskjobs/one", "create": "create daskjobs"}
    what = verbs.get(change, "patch daskjobs/one")
    current = job(ended="Complete") if change == "retry" else job()
    server, client = connected({"get daskjobs/one": [Answer(current)], what: [Answer(current)]})
    argument: Any = job() if change == "create" else "one"
    getattr(client.dry("client"), change)(argument)
    assert server.times(what) == 0
    getattr(client.dry("server"), change)(argument)
    [sent] = [each for each in server.asked if each.what == what]
    assert sent.query.get("dryRun") == "All" or sent.body["dryRun"] == ["All"]
