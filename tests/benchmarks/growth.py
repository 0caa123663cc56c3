"""What the soak says: jobs by how they ended, memory and its slope, and whether the targets are reached. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .report import Verdict, as_table

#: Over the time that is measured, memory may grow by this part of what it is …
GROWTH_LIMIT = 0.05
#: … and nothing is said of it if that time is shorter than this, in seconds.
LEAST_SPAN = 600.0
MEBIBYTE = 1024.0**2


@dataclass(frozen=True)
class Lived:
    """One job. `seen`: how it ended; `problem`: what never came, or was not as it should be."""

    kind: str
    expected: str
    seen: str
    seconds: float
    problem: str = ""

    @property
    def as_expected(self) -> bool:
        return self.seen == self.expected and not self.problem


@dataclass(frozen=True)
class Sample:
    """A process at a time. `time`: seconds since the soak began; `memory`: bytes; `cpu`: seconds since it began."""

    time: float
    component: str
    process: int
    memory: int
    cpu: float


@dataclass
class Soak:
    """All that was seen. `warm_up`: seconds from the beginning whose samples say nothing of growth."""

    warm_up: float
    jobs: list[Lived] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    #: Objects by kind, a count of each sampling.
    objects: list[Mapping[str, int]] = field(default_factory=list)
    #: Containers that were started anew, or replaced by another pod's, by component.
    restarts: Mapping[str, int] = field(default_factory=dict)
    #: Lines of the logs that tell of an error, by component.
    errors: Mapping[str, int] = field(default_factory=dict)
    #: What there was after all; None: nobody looked.
    left: Collection[str] | None = None


def told(status: Mapping[str, Any]) -> str:
    """How a job ended, with all that is out of the ordinary: its reason, attempt, retries and run."""
    failure = status.get("failure") or {}
    words = [failure.get("reason") or status.get("phase") or "no phase"]
    if (status.get("attempt") or 1) > 1:
        words.append(f"attempt {status['attempt']}")
    words += [f"{count} {name}" for name, count in (status.get("retries") or {}).items() if count]
    if (status.get("run") or 1) > 1:
        words.append(f"run {status['run']} after {status['history'][0]['outcome']}")
    return ", ".join(words)


@dataclass(frozen=True)
class Memory:
    """MiB at the first and last sample after the warm-up, the most, and the line through them all: its slope in MiB/h,
    its rise in MiB over `span` seconds, and how far the samples lie from it (standard deviation, MiB)."""

    first: float
    last: float
    most: float
    slope: float
    span: float
    noise: float

    @property
    def rise(self) -> float:
        return self.slope * self.span / 3600


def memory(samples: Sequence[Sample], component: str, warm_up: float) -> Memory | None:
    """By least squares; None with fewer than three samples after the warm-up."""
    chosen = [each for each in samples if each.component == component and each.time >= warm_up]
    if len({each.time for each in chosen}) < 3:
        return None
    hours, sizes = [each.time / 3600 for each in chosen], [each.memory / MEBIBYTE for each in chosen]
    line = statistics.linear_regression(hours, sizes)
    apart = [size - line.intercept - line.slope * hour for hour, size in zip(hours, sizes, strict=True)]
    span = chosen[-1].time - chosen[0].time
    return Memory(sizes[0], sizes[-1], max(sizes), line.slope, span, statistics.pstdev(apart))


def cpu_seconds(samples: Sequence[Sample], component: str) -> float:
    """What its processes used between the first and last sample of each."""
    used: dict[int, list[float]] = {}
    for each in samples:
        if each.component == component:
            used.setdefault(each.process, []).append(each.cpu)
    return sum(max(values) - min(values) for values in used.values())


def verdicts(soak: Soak) -> list[Verdict]:
    """The targets."""
    wrong = [each for each in soak.jobs if not each.as_expected]
    found = [
        Verdict(
            "every job ends as it should",
            not wrong if soak.jobs else None,
            f"{len(soak.jobs) - len(wrong)} of {len(soak.jobs)}",
        ),
        Verdict(
            "nothing is left",
            None if soak.left is None else not soak.left,
            "-" if soak.left is None else ", ".join(sorted(soak.left)[:20]) or "0 objects",
        ),
        Verdict("no restarts", _none(soak.restarts), _counts(soak.restarts)),
        Verdict("no errors in the logs", _none(soak.errors), _counts(soak.errors)),
    ]
    for component in _components(soak):
        size = memory(soak.samples, component, soak.warm_up)
        enough = size is not None and size.span >= LEAST_SPAN
        found.append(
            Verdict(
                f"memory of {component} grows by no more than {GROWTH_LIMIT:.0%} in the time measured",
                size.rise <= GROWTH_LIMIT * size.first if size is not None and enough else None,
                "-" if size is None else f"{size.rise:+.1f} MiB of {size.first:.1f} in {size.span / 60:.0f} min",
            )
        )
    return found


def job_table(soak: Soak) -> str:
    """A line for each kind of job and each way in which it ended."""
    rows = ["| job | to end as | ended as | jobs | seconds, median (most) | |", "|---|---|---|---|---|---|"]
    kinds = list(dict.fromkeys((each.kind, each.expected, each.seen) for each in soak.jobs))
    for kind, expected, seen in sorted(kinds, key=lambda key: [each.kind for each in soak.jobs].index(key[0])):
        own = [each for each in soak.jobs if (each.kind, each.seen) == (kind, seen)]
        times = [each.seconds for each in own]
        wrong = sum(not each.as_expected for each in own)
        cells = [
            kind,
            expected,
            seen,
            str(len(own)),
            f"{statistics.median(times):.0f} ({max(times):.0f})",
            f"**{wrong} wrong**" if wrong else "",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def process_table(soak: Soak) -> str:
    """A line for each component."""
    rows = [
        "| process | memory after the warm-up: first, last, most (MiB) | slope (MiB/h) | noise (MiB) "
        "| CPU seconds a job | restarts | errors in the log |",
        "|---|---|---|---|---|---|---|",
    ]
    for component in _components(soak):
        size = memory(soak.samples, component, soak.warm_up)
        sizes = ["-", "-", "-"]
        if size is not None:
            sizes = [f"{size.first:.1f}, {size.last:.1f}, {size.most:.1f}", f"{size.slope:+.1f}", f"{size.noise:.1f}"]
        each_job = cpu_seconds(soak.samples, component) / len(soak.jobs) if soak.jobs else None
        cells = [
            component,
            *sizes,
            "-" if each_job is None else f"{each_job:.2f}",
            str(soak.restarts.get(component, 0)),
            str(soak.errors.get(component, 0)),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def object_table(soak: Soak) -> str:
    """How many objects of each kind there were at once; empty if nobody looked."""
    kinds = sorted({kind for counts in soak.objects for kind in counts})
    if not kinds:
        return ""
    rows = ["| objects | at once, median | most |", "|---|---|---|"]
    for kind in kinds:
        counts = [each.get(kind, 0) for each in soak.objects]
        rows.append(f"| {kind} | {statistics.median(counts):g} | {max(counts)} |")
    return "\n".join(rows)


def tables(soak: Soak) -> str:
    parts = (job_table(soak), process_table(soak), object_table(soak), as_table(verdicts(soak)))
    return "\n\n".join(part for part in parts if part)


def as_json(soak: Soak) -> dict[str, Any]:
    return {**asdict(soak), "left": None if soak.left is None else sorted(soak.left)}


def _components(soak: Soak) -> list[str]:
    return list(dict.fromkeys(each.component for each in soak.samples))


def _none(counts: Mapping[str, int]) -> bool | None:
    return not any(counts.values()) if counts else None


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "-"
