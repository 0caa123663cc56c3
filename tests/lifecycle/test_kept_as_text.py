"""What is kept of any object is plain JSON: a cache may store it as text, and decisions from it are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.controller.cache import Cache, Key
from daskjob.controller.kind import Watched
from daskjob.controllers.job.watched import WATCHED
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.reading import observe, read_job
from daskjob.streams.shallow_json import ListPage, parse

from .builders import NOW
from .stories import PLAIN, RETRIED, a_run, started
from .test_machine import Machine

WORDS = st.text(max_size=20) | st.sampled_from(["", "\ud800", "\0" * 90, "x" * 2000, "é" * 1100])
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)
#: Fields that are read, with values of the right form and of any.
STATUS = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(["Succeeded", "Failed"]) | VALUES,
        "result": st.fixed_dictionaries({}, optional={"type": WORDS, "value": WORDS, "size": NUMBERS}) | VALUES,
        "failure": st.fixed_dictionaries({}, optional={"reason": WORDS, "message": WORDS, "exitCode": NUMBERS}),
        "progress": st.fixed_dictionaries({}, optional={"total": NUMBERS, "byPrefix": VALUES}),
        "phase": st.sampled_from(["Succeeded", "Failed", "Running"]),
        "reason": WORDS,
        "message": WORDS,
        "timings": st.dictionaries(WORDS, WORDS, max_size=3),
    },
)


def as_text(body: Any) -> Any:
    return json.loads(json.dumps(body, separators=(",", ":")).encode())


@pytest.mark.parametrize("watched", WATCHED, ids=lambda each: each.resource.kind)
@given(status=STATUS, labels=st.dictionaries(WORDS, WORDS, max_size=3), annotations=st.dictionaries(WORDS, WORDS))
def test_what_is_kept_is_the_same_from_text(
    watched: Watched, status: dict[str, Any], labels: dict[str, str], annotations: dict[str, str]
) -> None:
    metadata = {"namespace": "team", "name": "sum", "uid": "u", "resourceVersion": "7"}
    metadata |= {"labels": labels, "annotations": annotations}  # type: ignore[dict-item]
    item = {"metadata": metadata, "spec": {"graph": {"entrypoint": "m:f"}}, "status": status}
    texts = json.dumps(item).encode(), json.dumps({"items": [item]}).encode()
    listed = ListPage(lambda each: watched.keep(watched.resource.stamp(each))).read([texts[1]])["items"]
    for kept in (watched.keep(watched.resource.stamp(parse(texts[0]))), *listed):
        # Texts distinguish 1 from 1.0 and true, which Python's comparison does not.
        assert json.dumps(as_text(kept)) == json.dumps(kept)
        assert as_text(kept) == kept


def succeed(run: Machine) -> None:
    """All goes well."""


def fail(run: Machine) -> None:
    started(run).fail(reason="TaskFailed", message="x" * 1024, whose=None)


@pytest.mark.parametrize("story", [succeed, fail])
@pytest.mark.parametrize("spec", [PLAIN, RETRIED], ids=["plain", "retried"])
def test_decisions_are_the_same_from_text(monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], story: Any) -> None:
    owned, looks = Cache.owned, []

    def compared(cache: Cache, key: Key) -> Any:
        root, parts = cache.root(key), list(owned(cache, key))
        if root is not None and not root["metadata"].get("deletionTimestamp"):
            decisions = [
                decide(observe(read_job(one, NOW), others, NOW))
                for one, others in ((root, parts), (as_text(root), [as_text(each) for each in parts]))
            ]
            assert decisions[0] == decisions[1]
            looks.append(decisions[0])
        return iter(parts)

    monkeypatch.setattr(Cache, "owned", compared)
    with a_run(spec) as run:
        story(run)
        run.come_to_rest()
    assert len({str(each.status.phase) for each in looks}) > 2
