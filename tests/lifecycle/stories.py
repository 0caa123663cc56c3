"""What the stories of whole runs are told with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daskjob.api.status import DaskJobStatus

from .test_machine import Machine

#: Without retries: how one attempt ends.
PLAIN: dict[str, Any] = {
    "graph": {"entrypoint": "m:f"},
    "cluster": {"workers": {"replicas": 2}},
    "startupDeadlineSeconds": 100,
    "infrastructureRetries": 0,
}
RETRIED = {**PLAIN, "infrastructureRetries": 3}
#: The deadline is none that a look every few minutes would meet by chance.
HANGING = {**PLAIN, "activeDeadlineSeconds": 90}


@contextmanager
def a_run(spec: dict[str, Any], **options: Any) -> Iterator[Machine]:
    """A job that an operator has heard of. After its story it goes on to its end."""
    run = Machine()
    run.prepare(**options)
    run.apply_job("sum", spec)
    run.operator(0).deliver_all()
    try:
        yield run
    finally:
        run.teardown()


def started(run: Machine) -> Machine:
    """Until the graph runs."""
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    run.wake_operator("sum")
    return run


def status_of(run: Machine, name: str = "sum") -> DaskJobStatus:
    status = run.status(name)
    assert status is not None
    return status


def outcomes(run: Machine, name: str = "sum") -> list[str]:
    return [str(each.outcome) for each in status_of(run, name).attempts]
