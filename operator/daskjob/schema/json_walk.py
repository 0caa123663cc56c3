"""Walks through a JSON value however deep it is: without recursion, which Python ends after some hundred levels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: A key of an object, or an index of a list.
Step = str | int


def walk(value: Any) -> Iterator[tuple[list[Step], Any]]:
    """Yields `value` and everything in it, each with the steps that lead there. The caller must not keep the list of
    steps: it is the same one, changed, with the next item."""
    steps: list[Step] = []
    yield steps, value
    stack = [inner] if (inner := _inner(value)) is not None else []
    while stack:
        for step, each in stack[-1]:
            steps[len(stack) - 1 :] = [step]
            yield steps, each
            if (inner := _inner(each)) is not None:
                stack.append(inner)
                break
        else:
            stack.pop()


def is_container(value: Any) -> bool:
    """Whether a value is an object or a list."""
    return isinstance(value, Mapping | list | tuple)


def _inner(value: Any) -> Iterator[tuple[Step, Any]] | None:
    if isinstance(value, Mapping):
        return iter(value.items())
    if isinstance(value, list | tuple):
        return iter(enumerate(value))
    return None
