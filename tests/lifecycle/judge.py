"""What holds at every write of an operator, whatever went before."""

from __future__ import annotations

from datetime import datetime, timedelta

from daskjob.api import constants as c
from daskjob.api.attempt_names import attempt_in
from daskjob.api.constants import ConditionType, Outcome
from daskjob.api.resource_json import from_dict, to_dict
from daskjob.api.spec import DaskJobSpec, parse_spec
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.api.times import from_text
from daskjob.kube.client import Body
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.sources import Fetch, source_of

from . import retention_invariants as retention
from .file_invariants import check_files
from .git_model import SOURCE, check_commits, check_creation
from .queue_invariants import check_places
from .status_invariants import Change, check
from .world import World, all_ended, component_of, is_ended, is_stranger, labels_of, status_of

#: After so long a pod that is to be gone cannot do harm: its node does not answer.
FENCED = timedelta(seconds=60)


class Judge:
    """Called before each write takes effect, with the object as it is and as it is to be."""

    def __init__(self, world: World, limits: RunLimits, one_leader: bool) -> None:
        """`one_leader`: there is never more than one operator, which the Lease sees to."""
        self.world = world
        self.limits = limits
        self.one_leader = one_leader
        #: UIDs of the pods that counted as fenced once.
        self.fenced: set[str] = set()

    def __call__(self, verb: str, kind: str, before: Body | None, after: Body | None) -> None:
        if verb != "status" and before is not None and is_stranger(before):
            assert verb == "delete", f"{kind} of a stranger: {verb}"
            assert looks_like_ours(before), f"{kind} of a stranger deleted"
        elif verb == "status" and before is not None and after is not None:
            self.check_status(before, after["status"])
        elif verb == "create" and after is not None and kind in ("DaskCluster", "Pod", "DaskJobReport"):
            self.check_create(kind, after)
        elif verb == "delete" and before is not None and kind == "DaskJob":
            self.check_delete_job(before)
        elif verb == "delete" and before is not None:
            self.check_delete(kind, before)
        elif verb == "patch" and before is not None and after is not None and kind == "DaskJobReport":
            if "cancel" in after["spec"]:
                self.check_cancel(before)
            if "deadline" in after["spec"]:
                self.check_deadline(before, after["spec"]["deadline"])
        elif verb == "patch" and before is not None and after is not None and kind == "Pod":
            self.check_end_of_sidecars(before, after)
        elif verb == "patch" and before is not None and after is not None and kind == "DaskJob":
            specs, refused = self.specs_of_job(before), self.is_refused(before)
            retention.check_finalizers(before, after, specs, refused, self.world.removed, self.now())

    def now(self) -> datetime:
        """By the clock of whoever acts."""
        return self.world.acting.clock() if self.world.acting is not None else self.world.now

    # Objects.

    def check_create(self, kind: str, body: Body) -> None:
        job = self.job_of(body)
        if job is None:
            return  # The job was deleted meanwhile: the garbage collector is next.
        number = attempt_of(body)
        removes = component_of(body) == retention.REMOVER
        for each in self.world.pods():
            if same_job(each, body) and attempt_of(each) < number + removes:
                assert all_ended(each) or self.is_fenced(each), f"{kind} made while {each['metadata']['name']} lives"
        for each in self.world.all("DaskCluster"):
            beside = not removes and attempt_of(each) == number
            assert not same_job(each, body) or beside, f"{kind} made beside an earlier cluster"
        if removes:
            retention.check_creation(body, self.world.server.objects["DaskJob", labels_of(body)[c.JOB_LABEL]], job)
            return
        assert not self.is_deleted(body), f"{kind} made for a job that is being deleted"
        assert job.open is not None, f"{kind} made for a job of which no attempt runs"
        assert number == job.attempt, f"{kind} made for an attempt that is not the recorded one"
        assert body["metadata"]["name"].startswith(job.open.name)
        specs = [self.spec_of(body, known) for known in (False, True)]
        if all(map(retention.goes_with_job, specs)):
            job_body = self.world.server.objects["DaskJob", labels_of(body)[c.JOB_LABEL]]
            assert retention.is_held(job_body), f"{kind} made for a job that may go without its results"
        fetches = [fetch_of(each) for each in specs]
        check_creation(kind, body, job.open, next(filter(None, fetches), None))
        if kind != "DaskJobReport" and component_of(body) != SOURCE:
            check_files(self.world, kind, body)
        if kind == "Pod":
            report = self.world.server.find("DaskJobReport", job.open.name)
            assert report is None or is_stranger(report), "a second runner for an attempt that has a report"

    def is_fenced(self, pod: Body) -> bool:
        """Whether the pod counts as fenced by the operator's clock, or did so once: the clock may be set back while an
        attempt is being made."""
        deletion_deadline, uid = from_text(pod["metadata"].get("deletionTimestamp")), pod["metadata"]["uid"]
        if deletion_deadline is not None and self.now() >= deletion_deadline + FENCED:
            self.fenced.add(uid)
        return uid in self.fenced

    def check_delete(self, kind: str, body: Body) -> None:
        job = self.job_of(body)
        if job is None:
            return
        number = attempt_of(body)
        if self.is_deleted(body):
            return
        if kind == "Pod" and self.is_retired(body):
            return
        outcome = job.open is None or job.open.number != number or self.is_former(job.open, body)
        assert outcome or self.has_no_runner(job, body), f"{kind} deleted before an outcome was recorded"
        assert number <= (job.attempt or 0), f"{kind} of an attempt deleted that is yet to be heard of"
        assert kind != "DaskJobReport" or number != job.attempt, "the report of the last attempt deleted"
        kept = self.seen(kind, body) and component_of(body) == "runner" and is_ended(body)
        assert not kept or number <= (job.attempt or 0) - 3, "a runner's logs deleted"
        if kind == "DaskCluster" and job.finished and number == job.attempt:
            specs = [self.spec_of(body, known=False), self.spec_of(body, known=True)]
            assert not all(self.is_kept(spec, job) for spec in specs), "a cluster deleted that is to be kept"

    def is_former(self, attempt: Attempt, body: Body) -> bool:
        """Whether Dask created it late, for a name that the attempt had before."""
        return any(body["metadata"]["name"].startswith(each.name) for each in attempt.former_names)

    def has_no_runner(self, job: DaskJobStatus, body: Body) -> bool:
        """Whether nothing of the open attempt has run yet: it may get another name; or the pod has found the commit."""
        assert job.open is not None
        runner = self.world.server.find("Pod", f"{job.open.name}-runner")
        if component_of(body) == SOURCE and job.open.commit is not None:
            return True
        return component_of(body) != "runner" and (runner is None or is_stranger(runner))

    def is_retired(self, pod: Body) -> bool:
        """Whether the runner of its attempt has retired a worker."""
        name, component = pod["metadata"]["name"], labels_of(pod).get(c.DASK_COMPONENT_LABEL)
        report = self.world.server.find("DaskJobReport", labels_of(pod).get(c.DASK_CLUSTER_LABEL, ""))
        reported = ((report or {}).get("status") or {}).get("workers") or {}
        return component == "worker" and name in reported.get("retired", ())

    def is_kept(self, spec: DaskJobSpec, job: DaskJobStatus) -> bool:
        """Whether the cluster of a job that has ended is to be there still."""
        seconds, ended = spec.cleanup.after_success_seconds, from_text(job.completion_time)
        if job.failure is not None:
            seconds = spec.cleanup.after_failure_seconds if job.failure.reason != c.Reason.CANCELLED else 0
        return bool(seconds) and ended is not None and self.now() < ended + timedelta(seconds=seconds)

    def check_delete_job(self, body: Body) -> None:
        job, spec = status_of(body), parse_spec(body["spec"])
        ended = from_text(job.completion_time)
        assert job.finished
        assert ended is not None
        assert job.is_true(ConditionType.CLEANED_UP)
        assert spec.ttl_seconds_after_finished is not None
        assert self.now() >= ended + timedelta(seconds=spec.ttl_seconds_after_finished)
        asked = rerun_of(body)
        assert asked is None or asked == job.rerun or spec.cancel, "deleted, where another run was asked for"
        metadata = body["metadata"]
        assert self.world.acting is not None
        known = self.world.acting.cache.root((metadata["namespace"], metadata["name"])) or {"metadata": {}}
        assert known["metadata"].get("resourceVersion") == metadata["resourceVersion"], "deleted, though just edited"
        assert not self.left_of(body), "deleted before all that belongs to it"

    def check_cancel(self, report: Body) -> None:
        job = self.job_of(report)
        if job is not None and job.open is not None and job.open.number == attempt_of(report):
            wanted = [self.spec_of(report, known) for known in (False, True)]
            # Before an end by a deadline, it is to save what is kept of the attempt.
            overdue = job.markers is not None and job.markers.overdue is not None
            saves = overdue and any(spec.report is not None for spec in wanted)
            assert saves or any(spec.cancel for spec in wanted), "a runner told to stop"

    def check_deadline(self, report: Body, deadline: Body | None) -> None:
        job = self.job_of(report)
        if job is None or job.open is None or job.open.number != attempt_of(report):
            return
        specs = [self.spec_of(report, known) for known in (False, True)]
        limits = [(spec.active_deadline_seconds, spec.attempt_deadline_seconds) for spec in specs]
        if deadline is None:
            assert (None, None) in limits, "a deadline taken from a runner whose job has one"
        else:
            given = [seconds for each in limits for seconds in each if seconds is not None]
            assert deadline["seconds"] <= max(given, default=0), "a deadline that no user gave"

    def check_end_of_sidecars(self, pod: Body, patch: Body) -> None:
        job = self.job_of(pod)
        assert patch == {"metadata": {"uid": pod["metadata"]["uid"]}, "spec": {"activeDeadlineSeconds": 1}}
        assert component_of(pod) == "runner"
        assert is_ended(pod), "a runner's pod cut short"
        assert job is None or job.open is None or job.open.number != attempt_of(pod), "before an outcome was recorded"

    # The status.

    def check_status(self, before: Body, status: Body) -> None:
        old, new = status_of(before), from_dict(DaskJobStatus, status)
        assert to_dict(new) == status, "the status does not survive being read"
        metadata = before["metadata"]
        if "deletionTimestamp" in metadata:
            retention.check_record(before, old, new)
            return
        change = Change(
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata["generation"],
            spec=parse_spec(before["spec"]),
            rerun=rerun_of(before),
            old=old,
            new=new,
            now=self.now(),
        )
        check(change)
        check_commits(self.world.git, old, new, fetch_of(change.spec))
        if old.open is not None and new.open is not None and old.open.name != new.open.name:
            self.check_rename(old.open.name)
        if change.closed is not None:
            self.check_evidence(change.closed)
        if new.finished and new.attempt is None:
            assert new.failure is not None
            assert new.failure.reason in (c.Reason.INVALID_SPEC, c.Reason.CANCELLED)
        if new.is_true(ConditionType.CLEANED_UP):
            left = self.left_of(before)
            assert old.is_true(ConditionType.CLEANED_UP) or not left, f"all is said to be gone, and is not: {left}"
        if self.one_leader and self.world.acting is not None:
            operator = None if self.world.acting.client.disturbed else self.world.acting
            check_places(before, new, self.world.server.all("DaskJob"), operator, self.limits)

    def check_rename(self, name: str) -> None:
        for kind, each in (("DaskCluster", name), ("DaskJobReport", name), ("Pod", f"{name}-runner")):
            body = self.world.server.find(kind, each)
            assert body is None or is_stranger(body), f"another name, though there is {kind} {each}"

    def check_evidence(self, attempt: Attempt) -> None:
        succeeded = attempt.outcome is Outcome.SUCCEEDED
        report = self.world.server.find("DaskJobReport", attempt.name) or {}
        outcome = report.get("status", {}).get("outcome") if report and not is_stranger(report) else None
        if outcome is not None:
            assert str(attempt.outcome) == outcome, f"the report says {outcome}, the attempt {attempt.outcome}"
        elif succeeded:
            assert attempt.name in self.world.succeeded, "a success that nobody reported"

    # What belongs to what.

    def left_of(self, job: Body) -> list[str]:
        """The names of what is left that runs, or that workers are created for, as far as who acts has heard."""
        metadata = job["metadata"]
        assert self.world.acting is not None
        return [
            each["metadata"]["name"]
            for each in self.world.acting.cache.owned((metadata["namespace"], metadata["name"]))
            if labels_of(each).get(c.JOB_UID_LABEL) == metadata["uid"]
            and not (each["kind"] == "DaskJobReport" or is_ended(each) or is_stranger(each) or is_going_group(each))
        ]

    def is_deleted(self, body: Body) -> bool:
        return "deletionTimestamp" in (self.job_body(body) or {"metadata": {}})["metadata"]

    def job_body(self, body: Body, known: bool = False) -> Body | None:
        """The job that an object belongs to, if there is still that job. `known`: as who acts knows it."""
        labels = labels_of(body)
        name = labels.get(c.JOB_LABEL, "")
        if known and self.world.acting is not None:
            job = self.world.acting.cache.root((body["metadata"]["namespace"], name))
        else:
            job = self.world.server.find("DaskJob", name)
        return job if job is not None and job["metadata"]["uid"] == labels.get(c.JOB_UID_LABEL) else None

    def job_of(self, body: Body) -> DaskJobStatus | None:
        job = self.job_body(body)
        return status_of(job) if job is not None else None

    def spec_of(self, body: Body, known: bool) -> DaskJobSpec:
        return parse_spec((self.job_body(body, known) or {}).get("spec"))

    def specs_of_job(self, job: Body) -> list[DaskJobSpec]:
        """The job's spec as it is, and as who acts knows it."""
        metadata = job["metadata"]
        assert self.world.acting is not None
        known = self.world.acting.cache.root((metadata["namespace"], metadata["name"]))
        return [parse_spec(each["spec"]) for each in (job, known) if each is not None]

    def is_refused(self, job: Body) -> bool:
        """Whether who acts was refused something of the job for good: by the spec that it knew then."""
        metadata = job["metadata"]
        assert self.world.acting is not None
        state = self.world.acting.controller._states.get((metadata["namespace"], metadata["name"]))
        return state is not None and state.refusal is not None and state.refusal.permanent

    def seen(self, kind: str, body: Body) -> bool:
        """Whether who acts knows the object as it is."""
        if self.world.acting is None:
            return False
        key = (body["metadata"]["namespace"], labels_of(body).get(c.JOB_LABEL, ""))
        version = body["metadata"]["resourceVersion"]
        return any(
            each["kind"] == kind and each["metadata"]["resourceVersion"] == version
            for each in self.world.acting.cache.owned(key)
        )


def fetch_of(spec: DaskJobSpec) -> Fetch | None:
    source = source_of(spec.graph)
    return source.fetch() if source is not None else None


def looks_like_ours(body: Body) -> bool:
    """Whether somebody has copied all of what an object of a job has, which is gone by now."""
    annotations = body["metadata"].get("annotations") or {}
    labels = labels_of(body)
    name = attempt_in(body["metadata"]["name"], labels[c.JOB_LABEL], labels[c.JOB_UID_LABEL])
    return name is not None and c.TOKEN_ANNOTATION in annotations


def attempt_of(body: Body) -> int:
    return int(labels_of(body)[c.ATTEMPT_LABEL])


def same_job(one: Body, other: Body) -> bool:
    return labels_of(one).get(c.JOB_UID_LABEL) == labels_of(other).get(c.JOB_UID_LABEL)


def rerun_of(job: Body) -> str | None:
    return (job["metadata"].get("annotations") or {}).get(c.RERUN_ANNOTATION) or None


def is_going_group(body: Body) -> bool:
    """Nobody creates workers for a group that is being deleted."""
    return body["kind"] == "DaskWorkerGroup" and "deletionTimestamp" in body["metadata"]
