"""What follows from a pass that failed."""

from __future__ import annotations

import logging

import pytest

from daskjob.controller.error_policy import ErrorPolicy, after_error
from daskjob.errors import ApiError, ErrorKind, SpecError


def api_error(kind: ErrorKind, retry_after: float | None = None, requeue_after: float | None = None) -> ApiError:
    error = ApiError(kind, 500, "words", retry_after)
    error.requeue_after = requeue_after
    return error


CASES = {
    "busy": (api_error(ErrorKind.TRANSIENT), {}),
    "busy, and says for how long": (api_error(ErrorKind.TRANSIENT, 7), {"at_least": 7}),
    "a deadline comes before the back-off ends": (api_error(ErrorKind.TRANSIENT, None, 3), {"requeue_after": 3}),
    "but not before the server may be asked": (
        api_error(ErrorKind.TRANSIENT, 7, 3),
        {"at_least": 7, "requeue_after": 7},
    ),
    "a conflict is part of life": (api_error(ErrorKind.CONFLICT), {"level": logging.DEBUG}),
    "a namespace that goes": (api_error(ErrorKind.TERMINATING), {"tries_again": False}),
    "a spec": (SpecError("spec.x", "no"), {}),
}


@pytest.mark.parametrize(("error", "expected"), CASES.values(), ids=CASES)
def test_known_errors(error: Exception, expected: dict[str, object]) -> None:
    assert after_error(error) == ErrorPolicy(**{"words": str(error), **expected})  # type: ignore[arg-type]


def test_what_nobody_foresaw_has_a_traceback() -> None:
    policy = after_error(KeyError("x"))
    assert (policy.level, policy.traceback, policy.tries_again) == (logging.ERROR, True, True)
