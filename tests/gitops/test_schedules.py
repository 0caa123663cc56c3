"""What Argo CD's health check and kstatus make of a DaskCronJob."""

from __future__ import annotations

import pytest

from daskjob.lifecycle.blocker import Blocker

from ..support.gitops import View, gitops_views
from .lives import DELETED, GARBAGE, UNSEEN, Moment
from .schedules import schedule

WRONG = {"schedule": "61 * * * *"}
QUOTA = Blocker("QuotaExceeded", "exceeded quota: team", permanent=False)
REFUSED = Blocker("Invalid", "spec.cluster.image: write an image reference without blanks", permanent=True)
MOMENTS = [
    Moment("unseen", schedule(UNSEEN), "Progressing", "InProgress", ("Waiting for the operator",)),
    Moment("in-force", schedule(), "Healthy", "Current", ("Scheduled",)),
    Moment("suspended", schedule(spec={"suspend": True}), "Healthy", "Current", ("spec.suspend is true",)),
    Moment("not-understood", schedule(spec=WRONG), "Degraded", "Failed", ("InvalidSchedule", "spec.schedule")),
    Moment("nowhere", schedule(spec={"timeZone": "Mars/North"}), "Degraded", "Failed", ("UnknownTimeZone",)),
    Moment("not-understood-and-suspended", schedule(spec={**WRONG, "suspend": True}), "Degraded", "Failed"),
    Moment("held-up", schedule(refusal=QUOTA), "Progressing", "InProgress", ("FailedCreate", "exceeded quota: team")),
    Moment("refused", schedule(refusal=REFUSED), "Degraded", "Failed", ("FailedCreate", "without blanks")),
    Moment("edited", schedule(generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("mended", schedule(spec=WRONG, generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("deleted", schedule(**DELETED), "Progressing", "Terminating"),
    Moment("no-status", schedule(None), "Progressing", "Current"),
    Moment("no-conditions", schedule({"observedGeneration": 1}), "Progressing", "Current"),
]


@pytest.fixture(scope="module")
def views() -> dict[str, View]:
    return dict(zip(map(str, MOMENTS), gitops_views([each.document for each in MOMENTS]), strict=True))


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_at_every_moment(views: dict[str, View], moment: Moment) -> None:
    view = views[moment.name]
    assert (view.argo, view.kstatus) == (moment.argo, moment.kstatus), view.message
    assert view.message
    for words in moment.words:
        assert words in view.message


def test_no_field_is_taken_for_granted() -> None:
    odd = [schedule(status) for status in GARBAGE]
    odd += [schedule({"observedGeneration": 1, "conditions": [condition]}) for condition in GARBAGE]
    odd += [{**schedule(), part: value} for part in ("spec", "status") for value in GARBAGE]
    for document, view in zip(odd, gitops_views(odd), strict=True):
        assert view.argo in {"Progressing", "Degraded", "Healthy"}, (view.message, document)
