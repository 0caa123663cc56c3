"""The phases of a job and what leads from one to the next, for the diagram in docs/lifecycle.md.

No decision reads this table; a test decides about one scene for every arrow. One pass may follow several arrows, so a
user who watches the job may miss a phase.
"""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.api.constants import Phase


@dataclass(frozen=True)
class Transition:
    """One arrow. `before`: None for a job without a status; `when`: what the operator observes."""

    before: Phase | None
    after: Phase
    when: str


TRANSITIONS = (
    Transition(None, Phase.PENDING, "an attempt starts"),
    Transition(None, Phase.QUEUED, "no room"),
    Transition(None, Phase.SUSPENDED, "spec.suspend"),
    Transition(None, Phase.FAILED, "invalid spec, or spec.cancel"),
    Transition(Phase.QUEUED, Phase.PENDING, "room"),
    Transition(Phase.QUEUED, Phase.SUSPENDED, "spec.suspend"),
    Transition(Phase.QUEUED, Phase.FAILED, "spec.cancel, or a deadline"),
    Transition(Phase.PENDING, Phase.STARTING, "the DaskCluster exists"),
    Transition(Phase.PENDING, Phase.FAILED, "the attempt fails for good"),
    Transition(Phase.STARTING, Phase.RUNNING, "the runner computes the graph"),
    Transition(Phase.STARTING, Phase.RETRYING, "the attempt fails, and retries are left"),
    Transition(Phase.STARTING, Phase.SUSPENDED, "spec.suspend"),
    Transition(Phase.STARTING, Phase.FAILED, "the attempt fails for good"),
    Transition(Phase.RUNNING, Phase.SUCCEEDED, "the runner reports a result"),
    Transition(Phase.RUNNING, Phase.RETRYING, "the attempt fails, and retries are left"),
    Transition(Phase.RUNNING, Phase.SUSPENDED, "spec.suspend"),
    Transition(Phase.RUNNING, Phase.FAILED, "the attempt fails for good"),
    Transition(Phase.RUNNING, Phase.PENDING, "the spec is edited (runPolicy OnChange)"),
    Transition(Phase.RETRYING, Phase.PENDING, "the pause is over"),
    Transition(Phase.RETRYING, Phase.SUSPENDED, "spec.suspend"),
    Transition(Phase.RETRYING, Phase.FAILED, "spec.cancel, or a deadline"),
    Transition(Phase.SUSPENDED, Phase.PENDING, "spec.suspend is false"),
    Transition(Phase.SUSPENDED, Phase.FAILED, "spec.cancel"),
    Transition(Phase.SUCCEEDED, Phase.PENDING, "another run is asked for"),
    Transition(Phase.FAILED, Phase.PENDING, "another run is asked for"),
)
