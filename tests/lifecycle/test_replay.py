"""An observation that was logged leads to the same decision, and has no secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from daskjob import wire
from daskjob.api.status import DaskJobStatus
from daskjob.cli.commands import daskjob as command
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.observation import Owned, QueuePlace
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.replay import dump, load, without_secrets

from .builders import Scene, a_job, ago, ended, looping, running, waiting
from .stories import HANGING, a_run, status_of

SECRET = "hunter2"
RESULT = {"type": "str", "value": json.dumps(SECRET), "size": 9, "sha256": "0" * 64}
FAILURE = {"reason": "TaskFailed", "exceptionType": "ValueError", "message": "no", "traceback": SECRET, "taskKey": "k"}
LAST_WORDS = wire.termination_message("Succeeded", result=RESULT)
CONTAINER = {
    "name": "worker",
    "env": [{"name": "A", "value": SECRET}],
    "args": [f"--token={SECRET}"],
    "livenessProbe": {"httpGet": {"port": 1, "httpHeaders": [{"name": "Authorization", "value": SECRET}]}},
}
VOLUME = {"name": "v", "csi": {"driver": "d", "volumeAttributes": {"password": SECRET}}}
TEMPLATE = {
    "metadata": {"annotations": {"note": SECRET}},
    "spec": {"containers": [CONTAINER], "initContainers": [CONTAINER], "volumes": [VOLUME]},
}
SPEC = {
    "graph": {"entrypoint": "m:f", "args": [SECRET], "kwargs": {"a": SECRET}, "source": {"files": {"m.py": SECRET}}},
    "cluster": {
        "image": "i",
        "env": [
            {"name": "A", "value": SECRET},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ],
        "scheduler": {"template": TEMPLATE},
        "workers": {"adaptive": {"minimum": 1, "maximum": 3}, "template": TEMPLATE},
    },
    "runner": {"template": TEMPLATE},
    "failurePolicy": {"rules": [{"action": "Ignore", "onMessagePattern": "n."}]},
    "backoffLimit": 2,
}
SCENES = {
    "new": a_job(),
    "secret spec": a_job().with_spec(**SPEC),
    "queued": a_job().sees(queue_place=QueuePlace(2, "NamespaceLimit", "place 2")),
    "starting": a_job().accepted().cluster().runner(waiting("runner", "ErrImagePull", "no such image")).live(),
    "looping": a_job().accepted().cluster().schedulers(looping("scheduler", 1, SECRET)).live(),
    "config map": a_job().with_config_map("code", found=False).accepted(),
    "running": a_job().started(),
    "adaptive": a_job().with_spec(**SPEC).started().group(2).says(workers={"wanted": 3}),
    "succeeded": a_job().started().says(outcome="Succeeded", result=RESULT),
    "failed": a_job().with_spec(**SPEC).started().says(outcome="Failed", failure=FAILURE).live(),
    "last words": a_job().started().runner(ended("runner", 0, message=LAST_WORDS)).live(),
    "exited": a_job().started().runner(ended("runner", 3, message=SECRET)).live(),
    "scheduler gone": a_job()
    .started()
    .schedulers(running("scheduler", deleting=True, deletion_deadline=ago(1)))
    .live(),
    "stale": a_job().accepted().retrying(-1).sees(stale_objects=(Owned("Pod", "p", "u", 1, True, ago(99)),)),
    "cancelled": a_job().with_spec(cancel=True).started(),
    "finished": a_job().accepted().finished(),
    "deleting": a_job().started().that_is(deleting=True),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_the_same_is_decided(scene: Scene) -> None:
    observation = scene.observe()
    read, decision = load(dump(observation)), decide(observation)
    assert read == without_secrets(observation)
    again, expected = decide(read), decide(without_secrets(observation))
    assert again == expected
    assert again.rules == expected.rules == decision.rules
    assert (again.actions, again.requeue_after) == (decision.actions, decision.requeue_after)
    assert [each.reason for each in again.events] == [each.reason for each in decision.events]

    def kept(status: DaskJobStatus) -> object:
        conditions = [(each.type, each.status, each.reason, each.last_transition_time) for each in status.conditions]
        return status.phase, conditions, status.attempt, status.retries, status.progress, status.timings, status.markers

    assert kept(again.status) == kept(decision.status)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_nothing_secret_is_in_the_log(scene: Scene) -> None:
    assert SECRET not in dump(scene.observe())


PLAIN_LINE = "[2026-03-01 12:00:00,000] daskjob.controllers. [DEBUG   ] team/sum: observation {}\n"
LINES = {
    "plain": PLAIN_LINE.format,
    "json": lambda dumped: json.dumps({"message": f"team/sum: observation {dumped}", "severity": "debug"}) + "\n",
    "dump": str,
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_explain(line: Callable[[str], str]) -> None:
    done = CliRunner().invoke(command, ["explain", "-"], input=line(dump(SCENES["exited"].observe())))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "team/sum at 2026-03-01T12:00:00Z"
    assert any(each.startswith("  runner_exited: ") for each in lines)
    assert "phase: Pending -> Failed" in lines
    assert any(each.startswith("action: Delete DaskCluster") for each in lines)


def test_the_operator_logs_all_that_decides(caplog: pytest.LogCaptureFixture) -> None:
    """A job waits for a limit on running jobs, which the controller knows only as it decides: the log says so too."""
    caplog.set_level(logging.DEBUG, "daskjob.controllers.job.kind")
    with a_run(HANGING, limits=RunLimits(total=1)) as run:
        run.wait(seconds=1)
        run.apply(name="mean", spec=HANGING, delivered=False)
        run.go_on(which=0, seconds=0)
        assert status_of(run, "mean").queue_position == 1
        logged = [each.getMessage() for each in caplog.records if "team/mean: observation" in each.getMessage()]
    assert logged
    assert decide(load(logged[0])).rules[-1] == "queued"


@pytest.mark.parametrize("junk", ["", "{}", "no", "[]", '{"now": 3}', '{"message": "no"}', '{"message": 3}'])
def test_what_is_no_observation(junk: str) -> None:
    done = CliRunner().invoke(command, ["explain", "-"], input=junk)
    assert done.exit_code == 2
    assert "this is no observation" in done.stderr
