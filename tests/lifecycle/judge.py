"""What holds at every write of an operator, whatever went before."""

from __future__ import annotations

from daskjob.api import constants as c
from daskjob.api.codec import from_dict, to_dict
from daskjob.api.constants import ConditionType
from daskjob.api.status import DaskJobStatus
from daskjob.control.client import Body

from .world import World, labels_of


class Judge:
    """Called before each write takes effect, with the object as it is and as it is to be."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, verb: str, kind: str, before: Body | None, after: Body | None) -> None:
        if verb == "status" and before is not None and after is not None:
            self.check_status(before, after["status"])
        elif verb == "create" and after is not None and kind in ("DaskCluster", "Pod", "DaskJobReport"):
            self.check_create(kind, after)
        elif verb == "delete" and before is not None and kind != "Deployment":
            job = self.job_of(before)
            if job is not None:
                assert job.finished, f"{kind} deleted before an outcome was recorded"

    def check_create(self, kind: str, body: Body) -> None:
        job = self.job_of(body)
        if job is None:
            return  # The job was deleted meanwhile: the garbage collector is next.
        assert not job.finished, f"{kind} made for a job that has ended"
        assert labels_of(body)[c.ATTEMPT_LABEL] == str(job.attempt), f"{kind} made before its attempt was recorded"
        assert job.current is not None
        assert body["metadata"]["name"].startswith(job.current.name)
        if kind == "Pod":
            report = self.world.server.find("DaskJobReport", job.current.name)
            assert report is None, "a second runner for an attempt that has a report"

    def check_status(self, before: Body, status: Body) -> None:
        old, new = from_dict(DaskJobStatus, before.get("status")), from_dict(DaskJobStatus, status)
        assert to_dict(new) == status, "the status does not survive being read"
        assert not (new.is_true(ConditionType.COMPLETE) and new.is_true(ConditionType.FAILED))
        for condition in new.conditions:
            known = old.condition(ConditionType(condition.type))
            same = known is not None and known.status == condition.status
            if known is not None and same:
                assert condition.last_transition_time == known.last_transition_time
        if old.finished:
            for part in ("phase", "result", "failure", "completion_time", "attempts", "summary"):
                assert getattr(old, part) == getattr(new, part), f"{part} changed after the end"
        elif new.finished:
            self.check_end(before["metadata"]["uid"], new)

    def check_end(self, uid: str, status: DaskJobStatus) -> None:
        if status.current is None:
            assert status.failure is not None
            assert status.failure.reason == c.Reason.INVALID_SPEC
            return
        succeeded = status.is_true(ConditionType.COMPLETE)
        report = self.world.server.find("DaskJobReport", status.current.name) or {}
        outcome = report.get("status", {}).get("outcome")
        if outcome is not None:
            assert succeeded == (outcome == "Succeeded"), f"the report says {outcome}, the job {status.failure}"
        elif succeeded:
            assert status.current.name in self.world.succeeded, "a success that nobody reported"

    def job_of(self, body: Body) -> DaskJobStatus | None:
        """The status of the job that an object belongs to, if there is still that job."""
        job = self.world.server.find("DaskJob", "sum")
        if job is None or job["metadata"]["uid"] != labels_of(body).get(c.JOB_UID_LABEL):
            return None
        return from_dict(DaskJobStatus, job.get("status"))
