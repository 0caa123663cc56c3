"""Reading whatever a runner's pod may say: never an exception, never more than the protocol's limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob import wire
from daskjob.results import codec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(wire.REASONS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
FIELDS = ["protocol", "seq", "heartbeatTime", "stage", "progress", "workers", "timings", "result", "failure", "outcome"]
INNER = ["total", "done", "prefixes", "name", "connected", "retired", "connected", "runnerStarted", "type", "value"]
INNER += ["types", "size", "sha256", "reason", "message", "exceptionType", "traceback", "taskKey", "exitCode"]
WORDS = st.sampled_from(["Succeeded", "Failed", "Running", "TaskFailed", "[1", '{"a":1}', "2024-01-01T00:00:00Z"])
LEAF = JSON | WORDS
STATUS = st.dictionaries(
    st.sampled_from(FIELDS),
    LEAF | st.dictionaries(st.sampled_from(INNER), LEAF | st.lists(st.dictionaries(st.sampled_from(INNER), LEAF))),
)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)] + list(value)
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def check(status: dict[str, Any]) -> None:
    assert set(status) <= set(FIELDS)
    for text in texts(status):
        text.encode()
        assert all(letter.isprintable() or letter in "\n\t" for letter in text) or text in status.get("result", {}).get(
            "types", {}
        )
    failure = status.get("failure")
    if failure is not None:
        assert failure["reason"] in wire.REASONS
        assert len(failure.get("message", "").encode()) <= 1024
        assert len(failure.get("traceback", "").encode()) <= 4096
    assert status.get("outcome") in (None, "Succeeded", "Failed")
    assert wire.parse_report(status) == status


@given(JSON | STATUS)
def test_parse_report_never_raises_and_is_bounded(value):
    check(wire.parse_report(value))


@given(st.text() | st.binary() | JSON | STATUS.map(json.dumps))
def test_parse_termination_message_never_raises(value):
    message = wire.parse_termination_message(value)
    assert set(message) <= {"protocol", "outcome", "result", "failure", "truncated"}
    assert message == {} or {"protocol", "outcome"} <= set(message)


@given(st.text(max_size=9000), st.text(max_size=9000), st.text(max_size=2000))
def test_termination_message_fits_and_reads_back(message, trace, key):
    failure = wire.failure("TaskFailed", message, "ValueError", trace, key, 1)
    text = wire.termination_message("Failed", failure=failure)
    assert len(text.encode()) <= 3072
    back = wire.parse_termination_message(text)
    assert back["outcome"] == "Failed"
    assert back["failure"]["reason"] == "TaskFailed"


def test_termination_message_has_the_result_if_it_fits():
    small = codec.encode("x" * 1000)
    assert wire.parse_termination_message(wire.termination_message("Succeeded", small))["result"] == small
    large = codec.encode(("x" * 4000,))
    back = wire.parse_termination_message(wire.termination_message("Succeeded", large))
    assert back["truncated"] is True
    assert back["result"] == {name: large[name] for name in ("type", "size", "sha256")}


def test_a_whole_report_comes_back_as_it_was():
    status = {
        "protocol": 1,
        "seq": 7,
        "heartbeatTime": "2026-01-02T03:04:05.000006Z",
        "stage": "Finished",
        "progress": {
            "total": 3,
            "done": 2,
            "processing": 0,
            "erred": 1,
            "prefixes": [{"name": "inc", "total": 3, "done": 2, "processing": 0, "erred": 1}],
        },
        "workers": {"connected": 2, "threads": 4, "wanted": 2, "retired": ["job-11111-1-worker-a1"]},
        "timings": {"runnerStarted": "2026-01-02T03:04:05Z"},
        "result": codec.encode({"a": (1, 2)}),
        "failure": wire.failure("TaskFailed", "no", "ValueError", "Traceback\n\tline", "inc-1", 3),
        "outcome": "Failed",
    }
    assert wire.parse_report(status) == status


HOSTILE = {
    "claims what only the operator may say": (
        {"failure": {"reason": "RunnerOOMKilled", "message": "not my fault"}},
        {"failure": {"reason": "EntrypointFailed", "message": "RunnerOOMKilled: not my fault"}},
    ),
    "no failure at all": ({"failure": {}}, {"failure": {"reason": "EntrypointFailed"}}),
    "control characters": (
        {"failure": {"reason": "TaskFailed", "message": "a\x1b[31mb\x00\r\nc\u202ed\ud800"}},
        {"failure": {"reason": "TaskFailed", "message": "ab \ncd"}},
    ),
    "line ends in a name": (
        {"failure": {"reason": "Signal", "taskKey": "a\nb"}},
        {"failure": {"reason": "Signal", "taskKey": "a b"}},
    ),
    "numbers out of range": ({"seq": -5, "protocol": 10**30}, {"seq": 0, "protocol": 1000}),
    "infinite": ({"seq": float("inf"), "workers": {"connected": float("nan"), "threads": True}}, {"seq": 2**53}),
    "a value that is no JSON": (
        {"result": {"type": "int", "value": "[1", "size": 3, "types": {"": "tuple"}}},
        {"result": {"type": "int", "size": 3}},
    ),
    "a value with NaN": ({"result": {"type": "float", "value": "NaN"}}, {"result": {"type": "float"}}),
    "a value of great depth": ({"result": {"type": "list", "value": "[" * 100_000}}, {"result": {"type": "list"}}),
    "a huge value": ({"result": {"type": "str", "value": '"' + "x" * 2**21 + '"'}}, {"result": {"type": "str"}}),
    "a wrong digest": (
        {"result": {"type": "int", "value": "1", "size": 99, "sha256": "f" * 64}},
        {"result": {"type": "int", "value": "1", "size": 1, "sha256": codec.sha256(b"1")}},
    ),
    "no type": ({"result": {"value": "1"}}, {}),
    "a made-up outcome": ({"outcome": "Great", "stage": "Dancing"}, {}),
    "odd worker names": ({"workers": {"retired": ["ok", "../x", "A", 5, None]}}, {"workers": {"retired": ["ok"]}}),
    "not a time": ({"heartbeatTime": "2026-13-01T00:00:00Z", "timings": {"connected": "now"}}, {}),
    "a mere list": ([], {}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(case):
    given_, expected = HOSTILE[case]
    assert wire.parse_report(given_) == expected


def test_many_prefixes_are_cut():
    rows = [{"name": f"p{n}", "total": 1, "done": 1, "processing": 0, "erred": 0} for n in range(80)]
    progress = wire.parse_report({"progress": {"total": 80, "done": 80, "prefixes": rows}})["progress"]
    assert len(progress["prefixes"]) == 50


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "Succeeded", '{"outcome":"Succeeded"}', '{"protocol":1}', "x" * 100_000, b"\xff\xfe", 5, None],
)
def test_what_is_no_termination_message(text):
    assert wire.parse_termination_message(text) == {}


def test_long_texts_keep_the_telling_end():
    failure = wire.failure("TaskFailed", "m" * 5000, traceback="start" + "x" * 9000 + "the end")
    assert failure["message"].startswith("mmm")
    assert failure["message"].endswith("…")
    assert failure["traceback"].startswith("…")
    assert failure["traceback"].endswith("the end")
