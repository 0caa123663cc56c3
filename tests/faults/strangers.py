"""Objects of every kind that the operator watches, as nobody would write them: deep, huge, with odd numbers and texts,
and with labels and owners that claim to be ours. Strategies for hypothesis; pure.

Each is the text of a request, because Python's own JSON encoder does not write what is nested so deep.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.schema.limits import DEPTH
from daskjob.streams.depth import MOST_LEVELS

from .api import Body
from .world import STRANGER

#: Places for the names of the object and of an ordinary job beside it, in the text.
NAME, NEIGHBOUR = "@@name@@", "@@neighbour@@"
#: Go's JSON decoder takes 10,000 levels, those of the object around it included.
LEVELS = (9_900, 101, 990, 40, 100, 500, 90, 99, 1_010, 4_000)
NUMBERS = ("9" * 300, "-" + "9" * 300, "1e308", "5e-324", "-0.0", "18446744073709551616", "1e400", "0.1e-7")
TEXTS = (r'"\ud800"', r'"\udfff\ud800 \u0000"', r'"\uffff"', '""', '"NaN"', '"' + "é" * 1000 + '"')
#: etcd takes 1.5 MiB an object.
SIZES = (1_000, 200_000, 1_400_000)


@dataclass(frozen=True, repr=False)
class Stranger:
    """`status`: what its status is patched with, as text; `is_hopeless`: it is a job that is too deep to be read, or at
    least to run, and has to be told so."""

    kind: str
    body: str
    status: str = ""
    is_hopeless: bool = False

    def __repr__(self) -> str:
        def short(text: str) -> str:
            return text if len(text) < 700 else f"{text[:500]}…{text[-100:]} ({len(text):,} characters)"

        return f"{self.kind} {short(self.body)} {short(self.status)}".strip()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis prints."""
        printer.text(repr(self))


@dataclass(frozen=True)
class Odd:
    """A JSON text that is put into an object, and how deep it is."""

    text: str
    levels: int = 0


def _nested(levels: int, kind: str) -> Odd:
    opening, closing = ("[", "]") if kind == "[]" else ('{"a":', "}")
    return Odd(opening * levels + ("" if kind == "[]" else "1") + closing * levels, levels)


def _huge(size: int, kind: str) -> Odd:
    if kind == "text":
        return Odd(json.dumps("x" * size))
    if kind == "list":
        return Odd("[" + "1," * (size // 2) + "1]", 1)
    return Odd(json.dumps({f"key-{number}": number for number in range(size // 20)}), 1)


def _plain(value: Any) -> Odd:
    return Odd(json.dumps(value), 10)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
ODD = st.one_of(
    st.builds(_nested, st.sampled_from(LEVELS), st.sampled_from(("[]", "{}"))),
    st.sampled_from([*map(Odd, NUMBERS), *map(Odd, TEXTS)]),
    st.builds(_huge, st.sampled_from(SIZES), st.sampled_from(("text", "list", "keys"))),
    st.builds(_plain, _JSON),
)

#: Labels that claim that an object is the operator's and belongs to that ordinary job, or to none. Never with the UID
#: of a job: nobody can tell such an object from the operator's by its labels.
_CLAIMS = st.fixed_dictionaries(
    {c.MANAGED_BY_LABEL: st.just(c.MANAGER)},
    optional={
        c.JOB_LABEL: st.sampled_from((NEIGHBOUR, "gone", "x" * 63, "")),
        c.JOB_UID_LABEL: st.sampled_from(("0", "made-up", "00000000-0000-0000-0000-000000000000", "")),
        c.ATTEMPT_LABEL: st.sampled_from(("1", "0", "2147483648", "9" * 60, "x", "")),
        c.COMPONENT_LABEL: st.sampled_from(("runner", "other", "")),
        c.DASK_COMPONENT_LABEL: st.sampled_from(("scheduler", "worker", "job-runner", "")),
        c.DASK_CLUSTER_LABEL: st.sampled_from((NEIGHBOUR, "gone")),
        c.INSTALLATION_LABEL: st.just("another.installation"),
    },
)
_OWNER = st.fixed_dictionaries(
    {
        "apiVersion": st.sampled_from((c.API_VERSION, c.DASK_API_VERSION, "example.com/v1")),
        "kind": st.sampled_from(("DaskJob", "DaskCronJob", "DaskCluster", "Nothing")),
        "name": st.sampled_from((NEIGHBOUR, "gone")),
        "uid": st.sampled_from(("made-up", "0")),
    },
    optional={"controller": st.booleans(), "blockOwnerDeletion": st.booleans()},
)
_OWNERS = st.one_of(st.just([]), st.just([]), st.lists(_OWNER, max_size=1))
_ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        c.RUN_NOW_ANNOTATION: st.sampled_from(("", "now", "x" * 20_000)),
        c.RERUN_ANNOTATION: st.sampled_from(("", "now", "x" * 20_000)),
        c.REFUSED_ANNOTATION: st.sampled_from(("", "null", '{"status": 422, "message": 1}', "[" * 2_000)),
        c.REPLACE_ANNOTATION: st.sampled_from(("", "never", "2026-03-01T12:00:00Z", "x" * 2_000)),
        c.SCHEDULED_AT_ANNOTATION: st.sampled_from(("never", "2026-03-01T12:00:00Z", "9" * 100)),
        "strangers.test/size": st.sampled_from(("x" * 200_000, "\ud800")),
    },
)
_POD = {"containers": [{"name": "x", "image": "localhost/none:test"}]}
_STATES = st.sampled_from(("True", "False", "Unknown"))
_CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(("PodScheduled", "Ready", "DisruptionTarget", "x")),
            "status": _STATES,
        },
        optional={"reason": st.sampled_from(("Unschedulable", "x" * 900)), "message": st.text(max_size=20)},
    ),
    max_size=3,
    unique_by=lambda each: each["type"],
)


class _Draft:
    """An object to be, whose odd parts have marks in their places: `put` makes one."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.parts: list[Odd] = []

    def put(self) -> str:
        self.parts.append(self.draw(ODD))
        return f"@@{len(self.parts) - 1}@@"

    def text(self, body: Body) -> str:
        text = json.dumps(body)
        for number, part in enumerate(self.parts):
            text = text.replace(f'"@@{number}@@"', part.text)
        return text


#: Parts of a job that no schema looks into.
_OPEN: dict[str, Callable[[Body, str], None]] = {
    "args": lambda spec, part: spec["graph"].update(args=[part]),
    "kwargs": lambda spec, part: spec["graph"].update(kwargs={"x": part}),
    "keys": lambda spec, part: spec["graph"].update(keys=[part]),
    "scheduler": lambda spec, part: spec["cluster"].update(scheduler={"template": {"spec": {"x": part}}}),
    "workers": lambda spec, part: spec["cluster"]["workers"].update(template={"spec": {"x": part}}),
    "runner": lambda spec, part: spec.update(runner={"template": {"spec": {"x": part}}}),
}
_TYPED = ("backoffLimit", "suspend", "failurePolicy", "priority", "x")


def _run(draft: _Draft) -> Body:
    """The spec of a job."""
    spec: Body = {"graph": {"entrypoint": "square:graph"}, "cluster": {"workers": {"replicas": 1}}}
    for name in draft.draw(st.lists(st.sampled_from(sorted(_OPEN)), min_size=1, max_size=2, unique=True)):
        _OPEN[name](spec, draft.put())
    if draft.draw(st.integers(0, 5)) == 5:
        spec[draft.draw(st.sampled_from(_TYPED))] = draft.put()
    return spec


def _job(draft: _Draft) -> Body:
    return {"spec": _run(draft)}


def _cron_job(draft: _Draft) -> Body:
    schedule = draft.draw(st.sampled_from(("0 0 1 1 *", "* * * * *", "0 0 31 2 *", "61 * * * *")))
    return {"spec": {"schedule": schedule, "jobTemplate": {"spec": _run(draft)}}}


_LARGEST = 2**63 - 1
_REPORTED: dict[str, Any] = {
    "progress": {"total": _LARGEST, "done": 0, "erred": _LARGEST},
    "workers": {"connected": 2**31 - 1, "threads": 0},
    "timings": {"runnerStarted": "0001-01-01T00:00:00Z", "graphStarted": "9999-12-31T23:59:59.999999Z"},
    "result": {"type": "str", "value": '"x"'},
    "failure": {"reason": "TaskFailed", "message": "x" * 1000},
    "stage": "Finished",
    "outcome": "Succeeded",
}


def _report(draft: _Draft) -> Body:
    status = {"protocol": 1, "seq": 1}
    for name in draft.draw(st.lists(st.sampled_from(sorted(_REPORTED)), max_size=4, unique=True)):
        status[name] = _REPORTED[name]
    if draft.draw(st.booleans()):
        part = draft.draw(st.sampled_from(sorted(_REPORTED)))
        status[part] = {**status[part], "x": draft.put()} if isinstance(status.get(part), dict) else draft.put()
    return {"spec": {"job": NEIGHBOUR, "jobUID": "made-up", "attempt": 1}, "status": status}


_REPLICAS = st.sampled_from((0, 1, 2**31 - 1))


def _cluster(draft: _Draft) -> Body:
    service = {"type": "ClusterIP", "selector": {}, "ports": [{"name": "tcp-comm", "port": 8786}]}
    worker = {"replicas": draft.draw(_REPLICAS), "spec": _POD}
    return _with_an_odd_field(draft, {"spec": {"worker": worker, "scheduler": {"service": service, "spec": _POD}}})


def _worker_group(draft: _Draft) -> Body:
    spec = {"cluster": NEIGHBOUR, "worker": {"replicas": draft.draw(_REPLICAS), "spec": _POD}}
    return _with_an_odd_field(draft, {"spec": spec})


def _with_an_odd_field(draft: _Draft, body: Body) -> Body:
    """The API server drops fields that it does not know, and checks the others."""
    field = draft.draw(st.sampled_from(("x", "x", "metadata", "replicas", "status")))
    if field == "status":
        body["status"] = {"phase": draft.put()}
    else:
        body["spec"]["worker"][field] = {"annotations": {"x": "x" * 200_000}} if field == "metadata" else draft.put()
    return body


def _pod(draft: _Draft) -> Body:
    phase = draft.draw(st.sampled_from(("Pending", "Running", "Succeeded", "Failed")))
    state = {"terminated": {"exitCode": 2**31 - 1, "message": draft.draw(st.text(max_size=20))}}
    statuses = [{"name": "x", "image": "", "imageID": "", "ready": True, "restartCount": 2**31 - 1, "state": state}]
    status: Body = {"phase": phase, "conditions": draft.draw(_CONDITIONS)}
    if draft.draw(st.booleans()):
        status["containerStatuses"] = statuses
    return {"spec": _POD, "status": status}


def _config_map(draft: _Draft) -> Body:
    return {"data": {"a": draft.draw(st.sampled_from(("", "x", "x" * 1_000_000, "\ud800")))}}


MAKERS: dict[str, tuple[str, Callable[[_Draft], Body]]] = {
    "DaskJob": (c.API_VERSION, _job),
    "DaskCronJob": (c.API_VERSION, _cron_job),
    "DaskJobReport": (c.API_VERSION, _report),
    "DaskCluster": (c.DASK_API_VERSION, _cluster),
    "DaskWorkerGroup": (c.DASK_API_VERSION, _worker_group),
    "Pod": ("v1", _pod),
    "ConfigMap": ("v1", _config_map),
}


@st.composite
def _of_kind(draw: st.DrawFn, kind: str) -> Stranger:
    version, make = MAKERS[kind]
    draft = _Draft(draw)
    parts = make(draft)
    # dask-kubernetes' definitions have no subresource of the status.
    status = parts.pop("status", None) if version != c.DASK_API_VERSION else None
    owners = draw(_OWNERS)
    metadata = {
        "name": NAME,
        "labels": {STRANGER: "true", **draw(_CLAIMS)},
        "annotations": draw(_ANNOTATIONS),
        "ownerReferences": owners,
    }
    body = draft.text({"apiVersion": version, "kind": kind, "metadata": metadata, **parts})
    is_deep = any(part.levels > DEPTH for part in draft.parts)
    # The garbage collector deletes one with an owner, whatever it is told.
    is_hopeless = kind == "DaskJob" and is_deep and not owners
    return Stranger(kind, body, draft.text({"status": status}) if status is not None else "", is_hopeless)


def crowds() -> st.SearchStrategy[list[Stranger]]:
    """Two strangers of every kind, and some more of any."""
    two_of_each = st.tuples(*map(_of_kind, [*MAKERS, *MAKERS]))
    more = st.lists(st.sampled_from(sorted(MAKERS)).flatmap(_of_kind), max_size=len(MAKERS))
    return st.builds(lambda first, second: [*first, *second], two_of_each, more)


def deep_jobs() -> list[Stranger]:
    """Jobs and cron jobs of some depths."""
    found = []
    for levels in (40, 99, 101, 990, 9_900):
        for kind in ("[]", "{}"):
            run = {"graph": {"entrypoint": "square:graph", "args": ["@@0@@"]}, "cluster": {"workers": {"replicas": 1}}}
            specs: dict[str, Body] = {"DaskJob": run}
            if levels > MOST_LEVELS:
                specs["DaskCronJob"] = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": run}}
            for name, spec in specs.items():
                metadata = {"name": NAME, "labels": {STRANGER: "true"}}
                body = {"apiVersion": c.API_VERSION, "kind": name, "metadata": metadata, "spec": spec}
                text = json.dumps(body).replace('"@@0@@"', _nested(levels, kind).text)
                found.append(Stranger(name, text, is_hopeless=name == "DaskJob" and levels > DEPTH))
    return found
