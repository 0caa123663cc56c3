"""An attempt that gets another name, because the operator was restarted before there was a runner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daskjob.api import constants as c
from daskjob.api.tokens import Draw, Tokens
from daskjob.lifecycle.job import record, teardown
from daskjob.lifecycle.job.reading import observe

from .builders import NOW, Scene, a_job, ago, running


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


@pytest.mark.parametrize("adopted", [False, True])
def test_what_dask_creates_late_for_a_former_name_is_removed(adopted: bool) -> None:
    """The cluster was deleted while the Dask controller was about to create its worker group."""
    job, tokens = a_job().accepted().observe().job, Tokens("secret")
    before = replace(job.status.attempts[-1], token_digest=tokens.digest, cluster_uid="cluster")
    job = replace(job, status=job.status.with_attempt(before))
    job = replace(job, status=record.draw_again(job, Draw("another", "e" * 64), None, "", NOW))
    owner = {"apiVersion": c.DASK_API_VERSION, "kind": "DaskCluster", "name": before.name, "uid": "cluster"}
    group = {
        "kind": "DaskWorkerGroup",
        "metadata": {
            "name": f"{before.name}-default",
            "uid": "group",
            "annotations": {c.TOKEN_ANNOTATION: tokens.cluster},
            "ownerReferences": [{**owner, "controller": True}] if adopted else [],
        },
    }
    observation = observe(job, [group], NOW)
    assert not teardown.is_clean(observation)
    assert [action.target.uid for action in teardown.delete_stale_objects(observation)] == ["group"]


def test_few_former_names_are_kept() -> None:
    job = a_job().accepted().observe().job
    for each in range(5):
        job = replace(job, status=record.draw_again(job, Draw(f"n{each}", "e" * 64), None, "", NOW))
    names = [each.name.removeprefix("sum-3f2a9-1-") for each in job.status.attempts[-1].former_names]
    assert names == ["n1", "n2", "n3"]
