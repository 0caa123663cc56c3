"""An attempt that gets another name, because the operator was restarted before there was a runner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .builders import Scene, a_job, ago, running


@pytest.mark.parametrize(
    "removed",
    {
        "going": a_job().cluster(deleting=True).schedulers(running("scheduler", deleting=True)).group(2),
        "gone": a_job().cluster(deleting=True).group(2, created=ago(11)),
    }.items(),
    ids=lambda each: each[0],
)
def test_a_scheduler_that_goes_before_there_was_a_runner_is_not_lost(removed: tuple[str, Scene]) -> None:
    """The operator was restarted before it created the runner, and removes the cluster to draw another name."""
    scene = a_job().accepted().sees(**removed[1].seen, holds_token=False)
    attempts = tuple(replace(each, token_digest="d" * 64) for each in scene.status.attempts)
    decision = scene.with_status(attempts=attempts).live().decide()
    assert decision.status.current is not None
    assert decision.status.current.outcome is None
    assert decision.rules[-1] == "not_under_this_name"
