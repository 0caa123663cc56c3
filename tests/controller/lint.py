"""The rules of `promtool check metrics` over what is exposed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
RESERVED_SUFFIXES = ("_count", "_sum", "_bucket")
TYPES = ("counter", "gauge", "histogram", "summary")
#: Base unit, and words that ought to be it.
UNITS = {
    "seconds": ("ms", "us", "ns", "sec", "secs", "minutes", "hours", "days", "milliseconds", "microseconds"),
    "bytes": ("kb", "mb", "gb", "kilobytes", "megabytes", "kib", "mib", "bits"),
}


def lint(text: str) -> list[str]:
    """What is wrong with it, in words. `text`: in Prometheus' text format."""
    families = list(text_string_to_metric_families(text))
    return [problem for family in families for problem in _problems(family)] + list(_twice(text, families))


def _problems(family: Metric) -> Iterator[str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    words = name.split("_")
    if not NAME.fullmatch(name):
        yield f"{name}: not in lower case with single underscores"
    if not family.documentation.strip():
        yield f"{name}: no help"
    if family.type not in TYPES:
        yield f"{name}: is of type {family.type}"
    if family.type != "counter" and name.endswith("_total"):
        yield f"{name}: only a counter ends in _total"
    if name.endswith(RESERVED_SUFFIXES):
        yield f"{name}: ends as a part of a histogram does"
    if set(words) & set(TYPES):
        yield f"{name}: has its type in its name"
    for unit, others in UNITS.items():
        if set(words) & set(others):
            yield f"{name}: give it in {unit}"
        if unit in words and words[-2 if family.type == "counter" else -1] != unit:
            yield f"{name}: the unit comes last"
    for sample in family.samples:
        if family.type == "counter" and not sample.name.endswith("_total"):
            yield f"{name}: sample {sample.name}"
        for label in sample.labels:
            if not NAME.fullmatch(label) or (label == "le" and family.type != "histogram") or label == "quantile":
                yield f"{name}: label {label}"


def _twice(text: str, families: list[Metric]) -> Iterator[str]:
    for name, number in Counter(family.name for family in families).items():
        if number > 1:
            yield f"{name}: {number} families"
    for line, number in Counter(line.rsplit(" ", 1)[0] for line in text.splitlines() if line[:1] != "#").items():
        if number > 1:
            yield f"{line}: {number} times"
