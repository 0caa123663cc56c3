"""Rules as data: an ordered tuple of named functions, of which the first that applies decides.

A rule takes one observation and answers None if it does not apply. Its name and the first sentence of its docstring
are what docs/lifecycle.md and `daskjob explain` show.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TypeVar

O = TypeVar("O")  # noqa: E741
R = TypeVar("R")


def first_hit(rules: Sequence[Callable[[O], R | None]], observation: O) -> tuple[str, R] | None:
    """Name and answer of the first rule that applies; None if none does."""
    for rule in rules:
        answer = rule(observation)
        if answer is not None:
            return name_of(rule), answer
    return None


def name_of(rule: Callable[..., object]) -> str:
    """`runner_exited`: the name of the rule's function."""
    return rule.__name__


def sentence_of(rule: Callable[..., object]) -> str:
    """The first paragraph of the rule's docstring, in one line."""
    return " ".join((inspect.getdoc(rule) or "").partition("\n\n")[0].split())
