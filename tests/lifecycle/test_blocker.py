"""What a refusal of the API server means, and whether it is news."""

from __future__ import annotations

import pytest

from daskjob.api.constants import Reason
from daskjob.errors import ApiError, ErrorKind, NameConflictError, SpecError
from daskjob.lifecycle.blocker import Blocker, blocker_of, is_news, read_refusal
from daskjob.lifecycle.cron.decide import template_blocker

QUOTA = "pods is forbidden: exceeded quota: q, used: pods=3"
SECURITY = 'pods "p" is forbidden: violates PodSecurity "restricted:latest"'
WEBHOOK = 'admission webhook "w.example.org" denied the request: no'
LIMITS = "pods is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"
RIGHTS = 'services is forbidden: User "system:serviceaccount:a:b" cannot create resource "services"'

REFUSALS = {
    "quota": (ApiError(ErrorKind.FORBIDDEN, 403, QUOTA), Reason.QUOTA_EXCEEDED, False),
    "pod security": (ApiError(ErrorKind.FORBIDDEN, 403, SECURITY), Reason.POD_REJECTED, True),
    "a webhook": (ApiError(ErrorKind.FORBIDDEN, 403, WEBHOOK), Reason.POD_REJECTED, False),
    "a limit range": (ApiError(ErrorKind.FORBIDDEN, 403, LIMITS), Reason.POD_REJECTED, True),
    "rights": (ApiError(ErrorKind.FORBIDDEN, 403, RIGHTS), Reason.OPERATOR_FORBIDDEN, False),
    "an invalid object": (ApiError(ErrorKind.INVALID, 422, "spec.x: Invalid value"), Reason.POD_REJECTED, True),
    "a name": (NameConflictError("Pod", "p"), Reason.NAME_CONFLICT, False),
    "a template": (SpecError("spec.runner.template", "no"), Reason.INVALID_SPEC, True),
}
PASSING = [ErrorKind.TRANSIENT, ErrorKind.CONFLICT, ErrorKind.NOT_FOUND, ErrorKind.TERMINATING, ErrorKind.EXISTS]


@pytest.mark.parametrize(("error", "reason", "permanent"), REFUSALS.values(), ids=REFUSALS)
def test_what_a_refusal_means(error: ApiError | SpecError, reason: Reason, permanent: bool) -> None:
    blocker = blocker_of(error)
    assert blocker is not None
    assert (blocker.reason, blocker.permanent) == (reason, permanent)
    assert blocker.message == (error.message if isinstance(error, ApiError) else str(error))


def test_a_quota_that_wants_a_number_is_not_waited_for() -> None:
    problem = read_refusal('pods "x" is forbidden: failed quota: team: must specify limits.cpu for: worker')
    assert (problem.reason, problem.permanent) == (Reason.POD_REJECTED, True)
    assert "spec.cluster.workers.resources" in problem.message


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_by_itself_is_not_told(kind: ErrorKind) -> None:
    assert blocker_of(ApiError(kind, 500, "later")) is None
    assert template_blocker(ApiError(kind, 500, "later")) is None


def test_a_template_that_makes_no_job_is_the_specs_fault() -> None:
    blocker = template_blocker(ApiError(ErrorKind.INVALID, 422, "spec.graph: Invalid value"))
    assert blocker == Blocker(Reason.INVALID_SPEC, "spec.jobTemplate: spec.graph: Invalid value", permanent=True)
    quota = ApiError(ErrorKind.FORBIDDEN, 403, QUOTA)
    assert template_blocker(quota) == blocker_of(quota)


def test_other_words_for_the_same_reason_are_no_news() -> None:
    known = Blocker(Reason.QUOTA_EXCEEDED, "used: pods=3")
    assert is_news(None, known)
    assert not is_news(known, Blocker(Reason.QUOTA_EXCEEDED, "used: pods=4"))
    assert is_news(known, Blocker(Reason.POD_REJECTED, "no"))
