"""Whoever's words they are, a terminal shows them and obeys nothing in them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob import wire
from daskjob.api.resource import DASK_JOBS
from daskjob.api.resource_json import to_dict
from daskjob.controller.events import event_body
from daskjob.kube.refusal import classify
from daskjob.lifecycle.blocker import blocker_of, read_refusal
from daskjob.lifecycle.event import Event

from .builders import NOW, Scene, a_job, a_pod, looping, waiting

#: Red, the window's title, the cursor to the top, 8-bit red, a direction mark that turns what follows, bell, backspace.
EVIL = "no \x1b[31mroom\x1b]0;owned\x07 \x1b[2J\x1b[H \x9b31m \u202egnp.exe\u2066 \x07\x08 here\nsecond line"
SHOWN = "no room"
FAILURE = {"reason": "TaskFailed", "message": EVIL, "traceback": EVIL, "exceptionType": "E", "taskKey": EVIL}


def starting() -> Scene:
    return a_job().accepted().cluster()


def refusal() -> Scene:
    blocker = blocker_of(classify(403, json.dumps({"message": f"admission webhook denied: {EVIL}"})))
    assert blocker is not None
    return a_job().accepted().refused(blocker)


PLACES: dict[str, Callable[[], Scene]] = {
    "the kubelet cannot start the runner": lambda: starting().runner(waiting("runner", "CreateContainerError", EVIL)),
    "the kubelet cannot pull": lambda: starting().workers(waiting("worker", "ErrImagePull", EVIL)),
    "the scheduler finds no node": lambda: starting().workers(a_pod("worker", unschedulable=EVIL)),
    "a scheduler's last words": lambda: starting().schedulers(looping("scheduler", message=EVIL)),
    "a worker's last words": lambda: starting().workers(looping("worker", message=EVIL)),
    "a pod's own message": lambda: (
        a_job().started().runner(a_pod("runner", phase="Failed", reason="Evicted", message=EVIL, disrupted=True))
    ),
    "a worker's refusal": lambda: starting().workers().group(1, refusal=read_refusal(f"exceeded quota: {EVIL}")),
    "an admission webhook": refusal,
    "the runner's report": lambda: (
        a_job().started().says(**wire.parse_report({"protocol": 1, "outcome": "Failed", "failure": FAILURE}))
    ),
    "an invalid spec": lambda: a_job().that_is(spec_problem=f"spec.x: {EVIL}"),
}


@pytest.mark.parametrize("scene", PLACES.values(), ids=PLACES)
def test_no_text_of_a_status_moves_a_terminal(scene: Callable[[], Scene]) -> None:
    decision = scene().live().decide()
    texts = [event_body(DASK_JOBS, "team", "sum", "u", "k", each, NOW)["message"] for each in decision.events]
    waiting_for = [to_dict(decision.status)]
    while waiting_for:
        value = waiting_for.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict | list):
            waiting_for += value.values() if isinstance(value, dict) else value
    assert any(SHOWN in each for each in texts), "the words are there"
    for each in texts:
        assert each.replace("\n", "").isprintable(), each
        assert "[31m" not in each


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31;1mb\x1b[0mc", "abc"),
        ("a\x9b31mb", "ab"),
        ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
        ("a\x9d0;title\x9cb", "ab"),
        ("a\x1bP1$r\x1b\\b", "ab"),
        ("a\x1bcb\x1b(Bc", "abc"),
        ("a\x1b", "a"),
        ("a\u202eb\u2066c\u200fd\ufeff", "abcd"),
        ("a\rb\x0bc", "a b c"),
        ("ä 日本 🐍\n\tb", "ä 日本 🐍\n\tb"),
        ("price: [1m] 50 %", "price: [1m] 50 %"),
    ],
)
def test_what_a_terminal_obeys(text: str, expected: str) -> None:
    assert wire.clean(text) == expected


@pytest.mark.parametrize("part", ["\x9d", "\x90a", "\x1b]", "\x1bP;", "\x9b", "\x9b0", "\x1b[0 ", "\x1b ", "\u202e"])
def test_a_text_of_beginnings_holds_up_nobody(part: str) -> None:
    """A report's traceback is cleaned at each look at its job, in the one thread that looks at all jobs."""
    began = time.process_time()
    assert wire.clean(part * 20_000).isprintable()
    assert time.process_time() - began < 0.5


@given(st.text(st.sampled_from("a[]0;m\\\n\t \x07\x1b\x90\x98\x9b\x9c\x9d\x9f\u202e\ud800\x00\r") | st.characters()))
def test_whatever_goes_in_nothing_a_terminal_obeys_comes_out(text: str) -> None:
    assert wire.clean(text).replace("\n", "").replace("\t", "").isprintable()
    assert wire.clean(text, lines=False).isprintable()
    assert wire.clean(wire.clean(text)) == wire.clean(text), "a status that is read again stays as it is"


def test_events_that_no_decision_brings_are_plain_too() -> None:
    message = event_body(DASK_JOBS, "team", "sum", "u", "k", Event("Failed", EVIL), NOW)["message"]
    assert message.replace("\n", "").isprintable()
    assert SHOWN in message


def test_errors_of_the_api_server_are_plain_in_the_log() -> None:
    error = classify(500, EVIL)
    assert str(error).replace("\n", "").isprintable()
