"""Any words of others, at any place of the objects that an operator reads: no terminal obeys what comes of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.api.resource import DASK_JOBS
from daskjob.api.resource_json import to_dict
from daskjob.cli.explanation import explain as explain_decision
from daskjob.cli.live import display
from daskjob.cli.output import explain, line, tell, write
from daskjob.controller.events import event_body
from daskjob.kube.refusal import classify
from daskjob.lifecycle.blocker import blocker_of
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.reading import observe, read_job
from daskjob.lifecycle.job.reduce import reduce

from .builders import ATTEMPT, NOW, SPEC, UID, a_job, text

#: What a terminal obeys, and what comes in any text.
WORDS = st.text(
    st.sampled_from("\x1b\x9b\x9d\x90\x9c\x07\x08\x00\r\n\t\u202e\u2066\u200f\ufeff\u2028[]0;m\\") | st.characters(),
    max_size=40,
)
REASONS = st.sampled_from(
    ["CrashLoopBackOff", "ErrImagePull", "CreateContainerError", "StartError", "OOMKilled", "Error", "Evicted"]
)
#: Most reasons are Kubernetes' own; a virtual kubelet, or who may write a pod's status, has others.
ANY_REASON = REASONS | WORDS
STATUS = [403, 409, 422, 500]


@st.composite
def endings(draw: st.DrawFn) -> dict[str, Any]:
    """How a container ended: in the kubelet's words, in those of a log, or as a runner says."""
    message: str = draw(
        WORDS
        | st.builds(
            lambda words, reason: json.dumps(
                {
                    "protocol": 1,
                    "outcome": "Failed",
                    "failure": {"reason": reason, "message": words, "traceback": words},
                }
            ),
            WORDS,
            st.sampled_from(["TaskFailed", "EntrypointFailed"]) | WORDS,
        )
    )
    return {"exitCode": draw(st.sampled_from([0, 1, 137, 139])), "reason": draw(ANY_REASON), "message": message}


@st.composite
def pods(draw: st.DrawFn, component: str) -> dict[str, Any]:
    labels = {c.JOB_UID_LABEL: UID, c.ATTEMPT_LABEL: "1", c.COMPONENT_LABEL: component}
    metadata = {"namespace": "team", "name": f"{ATTEMPT}-{component}", "uid": f"uid-{component}-0", "labels": labels}
    container: dict[str, Any] = {"name": component, "restartCount": draw(st.integers(0, 4))}
    container["state"] = draw(
        st.fixed_dictionaries({"waiting": st.fixed_dictionaries({"reason": ANY_REASON, "message": WORDS})})
        | st.fixed_dictionaries({"terminated": endings()})
        | st.just({"running": {"startedAt": text(30)}})
    )
    container["lastState"] = draw(st.just({}) | st.fixed_dictionaries({"terminated": endings()}))
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": draw(WORDS)}
    disrupted = {"type": "DisruptionTarget", "status": "True", "reason": draw(WORDS), "message": draw(WORDS)}
    status = {
        "phase": draw(st.sampled_from(["Pending", "Running", "Failed", "Succeeded"])),
        "reason": draw(st.just("") | ANY_REASON),
        "message": draw(WORDS),
        "conditions": draw(st.lists(st.sampled_from([unschedulable, disrupted]), max_size=1)),
        "containerStatuses": draw(st.just([]) | st.just([container])),
    }
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": component}]}, "status": status}


@st.composite
def owned(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A cluster or worker group, with or without an annotation, which is the Dask controller's or anybody's."""
    refusal = st.builds(
        lambda status, words: json.dumps({"status": status, "message": words}), st.sampled_from(STATUS), WORDS
    )
    annotation = draw(st.none() | refusal | WORDS)
    labels = {c.JOB_UID_LABEL: UID, c.ATTEMPT_LABEL: "1"}
    annotations = {} if annotation is None else {c.REFUSED_ANNOTATION: annotation}
    metadata = {
        "namespace": "team",
        "name": ATTEMPT,
        "uid": f"uid-{kind}",
        "labels": labels,
        "annotations": annotations,
    }
    return {"kind": kind, "metadata": metadata, "spec": {"worker": {"replicas": 2}}}


@st.composite
def reports(draw: st.DrawFn) -> dict[str, Any]:
    words, lines = WORDS, WORDS
    failure = st.fixed_dictionaries(
        {"reason": st.sampled_from(["TaskFailed", "WorkersKilled"]) | WORDS, "message": lines},
        optional={"exceptionType": words, "traceback": lines, "taskKey": words},
    )
    prefixes = st.fixed_dictionaries({"name": words, "total": st.just(1), "done": st.just(0)})
    optional = {
        "outcome": st.sampled_from(["Failed", "Succeeded"]),
        "failure": failure,
        "result": st.fixed_dictionaries({"type": words, "value": words.map(json.dumps) | words}),
        "progress": st.fixed_dictionaries(
            {"total": st.just(2), "done": st.just(1), "prefixes": st.lists(prefixes, max_size=2)}
        ),
        "waiting": st.lists(st.fixed_dictionaries({"reason": st.just("WorkersPaused"), "message": lines}), max_size=1),
        "timings": st.fixed_dictionaries(
            {"connected": words | st.just(text(9)), "graphStarted": words | st.just(text(8))}
        ),
    }
    required = {"protocol": st.just(1), "seq": st.just(2), "stage": st.just("Running") | words}
    status = draw(st.fixed_dictionaries(required, optional=optional))
    labels = {c.JOB_UID_LABEL: UID, c.ATTEMPT_LABEL: "1"}
    metadata = {"namespace": "team", "name": ATTEMPT, "uid": "uid-report", "labels": labels}
    return {"kind": "DaskJobReport", "metadata": metadata, "spec": {"runnerPodUID": "uid-runner-0"}, "status": status}


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    scene = draw(st.sampled_from([a_job(), a_job().accepted(), a_job().started(), a_job().accepted().retrying()]))
    spec = {**SPEC, "graph": {"entrypoint": draw(WORDS)}, "cluster": {"image": draw(WORDS)}}
    metadata = {"namespace": "team", "name": "sum", "uid": UID, "generation": 1}
    job = read_job({"metadata": metadata, "spec": spec, "status": to_dict(scene.status)}, NOW)
    strategies = [
        owned("DaskCluster"),
        owned("DaskWorkerGroup"),
        reports(),
        *map(pods, ("scheduler", "worker", "runner")),
    ]
    bodies = [draw(each) for each in strategies if draw(st.booleans())]
    observation = observe(replace(job, spec_problem=draw(st.none() | WORDS)), bodies, NOW)
    refusal = blocker_of(
        classify(draw(st.sampled_from(STATUS)), draw(WORDS | st.builds(lambda w: json.dumps({"message": w}), WORDS)))
    )
    attempt = replace(observation.attempt, refusal=draw(st.sampled_from([None, refusal])))
    live = draw(st.booleans())
    return replace(observation, attempt=attempt, live=live, settled=live, other_installation=draw(st.none() | WORDS))


def is_plain(value: str) -> bool:
    return value.replace("\n", "").replace("\t", "").isprintable()


def texts_of(value: Any, path: str = "") -> list[tuple[str, str]]:
    """All texts of a JSON value, keys too, with their places. A result's value is JSON, whose escapes stay as they are,
    and the keys of its types say where they belong."""
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        inner = [(f"{path}.{key}", each) for key, each in value.items()]
        return [
            *((path, key) for key in value if path != ".result.types"),
            *(each for at, of in inner for each in texts_of(of, at)),
        ]
    return [each for item in value for each in texts_of(item, f"{path}[]")] if isinstance(value, list) else []


@given(observations(), WORDS)
def test_in_status_and_events(observation: Observation, refusal: str) -> None:
    decision = decide(observation)
    reduced = reduce(decision.status, observation.job.status, classify(422, refusal).message)
    for status in (decision.status, reduced):
        assert [each for each in texts_of(to_dict(status)) if not is_plain(each[1])] == []
    for event in decision.events:
        body = event_body(DASK_JOBS, "team", "sum", UID, "key", event, NOW)
        assert [each for each in texts_of(body) if not is_plain(each[1])] == []
    again = replace(observation.job, status=decision.status)
    settled = decide(replace(observation, job=again))
    assert [each for each in texts_of(to_dict(settled.status)) if not is_plain(each[1])] == []


@given(observations())
def test_in_what_the_command_line_prints(observation: Observation) -> None:
    """Of statuses of any operator, cleaned or not."""
    decision: Decision = decide(observation)
    printed: list[str] = []
    status = {"phase": "Failed", **to_dict(decision.status)}
    dirty = observation.job.spec_problem or "\x1b[2J"
    status["failure"] = {
        "reason": dirty,
        "message": dirty,
        "traceback": dirty,
        "taskKey": dirty,
        "exceptionType": dirty,
    }
    status["result"] = {"type": "str", "value": json.dumps(dirty, ensure_ascii=False)}
    job = {"metadata": {"name": "sum"}, "spec": {"x": dirty, dirty: 1}, "status": status}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(click, "echo", lambda words="", err=False, nl=True: printed.append(str(words)))
        tell(line(job, 5))
        tell(explain(job))
        for form in ("json", "yaml", "value"):
            write([job], form)
        for each in explain_decision(observation):
            tell(each)
        stderr = io.StringIO()
        patched.setattr("sys.stderr", stderr)
        with display("sum", quiet=False) as shown:
            shown.status(
                {
                    **status,
                    "phase": "Running",
                    "conditions": [{"type": "ClusterReady", "reason": "Importing", "message": dirty}],
                }
            )
            shown.note(dirty)
        printed.append(stderr.getvalue())
    assert [each for each in printed if not is_plain(each)] == []
    assert len(printed) > 5
