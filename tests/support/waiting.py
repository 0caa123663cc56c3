"""Waiting for something with a deadline: what was seen last is told when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import yaml

INTERVAL = 0.3

T = TypeVar("T")


def wait_for(what: str, observe: Callable[[], T], until: Callable[[T], object], seconds: float = 60) -> T:
    """The first observation for which `until` holds. Looks every 0.3 s and at least once.

    Raises AssertionError with `what` was waited for and the last observation if none is such within `seconds`.
    """
    began = time.monotonic()
    while True:
        seen = observe()
        if until(seen):
            return seen
        if time.monotonic() - began > seconds:
            raise AssertionError(f"waited {seconds:g} s for {what}; the last that was seen:\n{show(seen)}")
        time.sleep(INTERVAL)


def show(value: Any) -> str:
    """Anything, as YAML where it can be."""
    try:
        return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120))
    except yaml.YAMLError:
        return repr(value)
