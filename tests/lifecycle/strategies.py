"""What the state machine draws from."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st

from daskjob.control.client import BY_KIND

SOURCES = [None, {"inline": "def f(): return 1"}, {"configMap": {"name": "code"}}]
WORKERS = [{"replicas": 2}, {"adaptive": {"minimum": 1, "maximum": 3}}]
RUNNERS = [{}, {}, {}, {"template": {"spec": {"hostNetwork": True}}}]
FATES = ["ok"] * 6 + ["transient", "timeout", "conflict", "forbidden", "crash"]
#: Reasons that a runner may give, right and wrong ones.
REASONS = ["TaskFailed", "WorkersKilled", "SchedulerLost", "NoWorkers", "RunnerDisrupted", "", "no reason at all"]
OBSTACLES = [
    ("ImagePullBackOff", "no such image"),
    ("InvalidImageName", "not a name"),
    ("Unschedulable", "0/1 nodes are available"),
    ("CreateContainerConfigError", 'secret "x" not found'),
]
#: What may stand in a termination message.
LAST_WORDS = [
    "",
    "Killed",
    '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "7", "size": 1}}',
    '{"protocol": 1, "outcome": "Failed", "failure": {"reason": "TaskFailed", "message": "boom"}}',
    '{"protocol": 1, "outcome": "Failed", "failure": {"reason": "!", "class": "Infrastructure"}}',
    '{"protocol": 1, "outcome": "Succeeded", "result": {"type": 5, "value": 7, "size": -1, "sha256": "x"}}',
    '{"protocol": 1, "outcome": "Succeeded", "result": []}',
    '{"protocol": 1, "outcome": "Failed", "failure": {"reason": "Signal", "message": "\\ud800", "exitCode": 1e9}}',
    "[[[[",
]

examples = int(os.environ.get("DASKJOB_EXAMPLES") or (2000 if os.environ.get("CI") else 250))
watched = st.sampled_from(sorted(BY_KIND))
operators = st.sampled_from([0, 0, 0, 1])


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    source, deadline = draw(st.sampled_from(SOURCES)), draw(st.sampled_from([None, None, 90]))
    return {
        "graph": {"entrypoint": "m:f", **({"source": source} if source else {})},
        "cluster": {"workers": draw(st.sampled_from(WORKERS))},
        "runner": draw(st.sampled_from(RUNNERS)),
        **({"activeDeadlineSeconds": deadline} if deadline else {}),
    }
