"""What the benchmarks measured, against what is to be reached. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """At most, or (`least`) at least, so much."""

    number: float
    least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.number:g}"

    def reached(self, value: float) -> bool:
        return value >= self.number if self.least else value <= self.number


@dataclass(frozen=True)
class Figure:
    """One number of one benchmark. `value` None: it did not come to it, which misses the goal."""

    benchmark: str
    name: str
    value: float | None
    unit: str = ""
    goal: Goal | None = None

    @property
    def reached(self) -> bool | None:
        """None if there is no goal."""
        if self.goal is None:
            return None
        return self.value is not None and self.goal.reached(self.value)


def value_of(figures: Iterable[Figure], name: str) -> float | None:
    """The value of the one figure of that name."""
    [value] = [each.value for each in figures if each.name == name]
    return value


def at_most(number: float) -> Goal:
    return Goal(number)


def at_least(number: float) -> Goal:
    return Goal(number, least=True)


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table, a line a figure."""
    words = {True: "yes", False: "**no**", None: ""}
    rows = ["| benchmark | figure | value | goal | reached |", "|---|---|---|---|---|"]
    for each in figures:
        value = "-" if each.value is None else f"{number(each.value)} {each.unit}".strip()
        rows.append(f"| {each.benchmark} | {each.name} | {value} | {each.goal or ''} | {words[each.reached]} |")
    return "\n".join(rows)


def number(value: float) -> str:
    """Three digits that count, or all of a whole number."""
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def quantile(values: Iterable[float], share: float) -> float | None:
    """The value that `share` of all do not exceed; None if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": each.benchmark,
            "figure": each.name,
            "value": each.value,
            "unit": each.unit,
            "goal": str(each.goal) if each.goal else None,
            "reached": each.reached,
        }
        for each in figures
    ]
