"""What Argo CD's health check and kstatus make of a DaskCronJob."""

from __future__ import annotations

import pytest

from ..support.gitops import gitops_view, gitops_views
from .lives import DELETED, GARBAGE, UNSEEN, Moment, condition
from .schedules import READY, in_state, schedule

WRONG = (
    condition("Ready", "False", "InvalidSchedule", "61 * * * *: minute 61 is out of range"),
    condition("Stalled", "True", "InvalidSchedule", "61 * * * *: minute 61 is out of range"),
)
BUSY = (
    condition("Ready", "False", "Pending", "looking for missed runs"),
    condition("Reconciling", "True", "Pending", "looking for missed runs"),
)
MOMENTS = [
    Moment("unseen", schedule(UNSEEN), "Progressing", "InProgress", ("Waiting for the operator",)),
    Moment("in-force", schedule(), "Healthy", "Current", ("2026-03-02T06:00:00Z",)),
    Moment("running", schedule(in_state(READY, active=[{"name": "a"}], lastScheduleTime="t")), "Healthy", "Current"),
    Moment("wrong", schedule(in_state(*WRONG)), "Degraded", "Failed", ("minute 61 is out of range",)),
    Moment("wrong-and-suspended", schedule(in_state(*WRONG), {"suspend": True}), "Degraded", "Failed"),
    Moment("reconciling", schedule(in_state(*BUSY)), "Progressing", "InProgress", ("looking for missed runs",)),
    Moment("suspended", schedule(spec={"suspend": True}), "Healthy", "Current", ("suspended",)),
    Moment("edited", schedule(generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("mended", schedule(in_state(*WRONG), generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("deleted", schedule(**DELETED), "Progressing", "Terminating"),
    Moment("no-status", schedule(None), "Progressing", "Current"),
    Moment("no-conditions", schedule(in_state()), "Progressing", "Current"),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_at_every_moment(moment: Moment) -> None:
    view = gitops_view(moment.document)
    assert (view.argo, view.kstatus) == (moment.argo, moment.kstatus), view.message
    assert view.message
    for words in moment.words:
        assert words in view.message


def test_no_field_is_taken_for_granted() -> None:
    odd = [schedule(status) for status in (..., *GARBAGE)]
    odd += [schedule(in_state(condition), spec={"suspend": condition}) for condition in GARBAGE]
    odd += [{**schedule(), "spec": spec} for spec in GARBAGE]
    for document, view in zip(odd, gitops_views(odd), strict=True):
        assert view.argo in {"Progressing", "Degraded", "Healthy"}, (view.message, document)
