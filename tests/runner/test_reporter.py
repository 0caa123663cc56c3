"""What the reporter does with a report that is not accepted as it is."""

from __future__ import annotations

from typing import Any

from daskjob.runner.reporter import Reporter
from daskjob.runner.sinks import REJECTED, SinkError

from .conftest import wait_for

KNOWN = ("WorkersPaused",)


class OlderDefinition:
    """Accepts a report if it knows the reasons to wait, as the API server does by the definition of an operator that
    was installed over a newer one."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}

    def patch(self, status: dict[str, Any]) -> dict[str, Any]:
        if any(each["reason"] not in KNOWN for each in status.get("waiting", ())):
            raise SinkError(REJECTED, "422 status.waiting[0].reason: Unsupported value")
        self.status.update(status)
        return {}


def test_a_reason_that_the_definition_does_not_know_hides_no_progress() -> None:
    sink = OlderDefinition()
    reporter = Reporter(sink, lambda: None)
    reporter.update({"progress": {"done": 1}, "waiting": [{"reason": "WorkersPaused", "message": "m"}]})
    reporter.start()
    wait_for("the first report", lambda: sink.status)
    assert sink.status["waiting"][0]["reason"] == "WorkersPaused"
    reporter.update({"progress": {"done": 2}, "waiting": [{"reason": "OfLater", "message": "m"}]})
    wait_for("its progress", lambda: sink.status["progress"] == {"done": 2})
    reporter.update({"progress": {"done": 3}})
    assert reporter.finish({"outcome": "Succeeded"}, budget=60.0)
    assert (sink.status["outcome"], sink.status["progress"]) == ("Succeeded", {"done": 3})
