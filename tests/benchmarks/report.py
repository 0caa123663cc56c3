"""What the runs say: medians, ratios by round, and whether the targets are reached. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Contenders by name, in the order of the table.
OURS, DOCUMENTED, FAST, BARE = "ours", "dask-kubernetes", "dask-kubernetes-fast", "bare-pods"
TITLES = {
    OURS: "ours",
    DOCUMENTED: "dask-kubernetes' DaskJob, its documented manifest (readiness 5 s/10 s)",
    FAST: "dask-kubernetes' DaskJob, readiness 0 s/1 s",
    BARE: "bare pods and a headless service",
}

#: The stage at which the result is known where it is computed, before anybody is told.
COMPUTED = "graphFinished"

#: Seconds to Succeeded that count as an outlier: what one lost packet or one cached "no such name" costs.
OUTLIER = 30.0
#: The targets.
RATIO_LIMIT = 1.15
GONE_LIMIT = 2.0


@dataclass(frozen=True)
class Run:
    """One job of one contender.

    `succeeded`  seconds from the request that creates it to its end; None: it did not end well in time
    `gone`       seconds from there until nothing is left but the completed runner; None: something was
    `requests`   of its operators and its runner to the API server, by "namespace/account verb resource"
    `discovery`  their requests that are about no object
    `stages`     seconds from the creation to each stage, where the contender tells them
    """

    contender: str
    round: int
    succeeded: float | None
    gone: float | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    discovery: int = 0
    stages: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some numbers."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def spread(numbers: Iterable[float | None]) -> Spread | None:
    """None if there is no number."""
    known = [number for number in numbers if number is not None]
    return Spread(statistics.median(known), min(known), max(known)) if known else None


def ratios(runs: Sequence[Run], contender: str, base: str = BARE) -> list[float]:
    """`contender`'s time to Succeeded over `base`'s of the same round, for each round in which both ended well."""
    bases = {run.round: run.succeeded for run in runs if run.contender == base}
    return [
        run.succeeded / bases[run.round]  # type: ignore[operator]
        for run in runs
        if run.contender == contender and run.succeeded and bases.get(run.round)
    ]


def outliers(runs: Iterable[Run]) -> int:
    """Runs that took longer than 30 s, or did not end well."""
    return sum(run.succeeded is None or run.succeeded > OUTLIER for run in runs)


def table(runs: Sequence[Run]) -> str:
    """A Markdown table, a line a contender."""
    rows = [
        "| contender | runs | apply → result computed (s) | apply → Succeeded (s) | times bare pods, by round "
        "| Succeeded → all gone (s) | over 30 s | API requests a job | discovery |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, title in TITLES.items():
        own = [run for run in runs if run.contender == name]
        if not own:
            continue
        ended = [run for run in own if run.succeeded is not None]
        requests = spread(sum(run.requests.values()) for run in ended)
        discovery = spread(run.discovery for run in ended)
        cells = [
            title,
            str(len(own)),
            _cell(spread(run.stages.get(COMPUTED) for run in own)),
            _cell(spread(run.succeeded for run in own)),
            _cell(spread(ratios(runs, name))),
            _cell(spread(run.gone for run in own)),
            str(outliers(own)),
            _whole(requests) if name != BARE else "-",
            _whole(discovery) if name != BARE else "-",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def stage_table(runs: Sequence[Run]) -> str:
    """Where the time goes in ours: seconds from the creation to each stage, as a Markdown table; empty if unknown."""
    own = [run for run in runs if run.contender == OURS and run.stages]
    names = sorted({name for run in own for name in run.stages}, key=lambda name: _middle(own, name))
    if not names:
        return ""
    rows = ["| stage of ours | seconds after apply |", "|---|---|"]
    rows += [f"| {name} | {_cell(spread(run.stages.get(name) for run in own))} |" for name in names]
    return "\n".join(rows)


@dataclass(frozen=True)
class Verdict:
    """A target, whether it is reached (None: nothing to tell from), and the numbers."""

    target: str
    reached: bool | None
    numbers: str


def verdicts(runs: Sequence[Run]) -> list[Verdict]:
    own = [run for run in runs if run.contender == OURS]
    slow = outliers(own)
    ratio, gone, requests = spread(ratios(runs, OURS)), spread(run.gone for run in own), _requests(runs, OURS)
    others = [_requests(runs, name) for name in (DOCUMENTED, FAST)]
    fewest = min((each.median for each in others if each is not None), default=None)
    faster = [each < 1 for name in (DOCUMENTED, FAST) for each in ratios(runs, OURS, base=name)]
    left = sum(run.gone is None for run in own)
    return [
        Verdict(
            f"at most {RATIO_LIMIT} times bare pods to Succeeded (median of the rounds)",
            None if ratio is None else ratio.median <= RATIO_LIMIT,
            _cell(ratio),
        ),
        Verdict(
            "faster than dask-kubernetes' own in every round",
            all(faster) if faster else None,
            f"{sum(faster)} of {len(faster)}",
        ),
        Verdict(
            f"all gone within {GONE_LIMIT:g} s, in every round",
            None if gone is None else gone.most <= GONE_LIMIT and not left,
            _cell(gone) + (f", not gone in {left}" if left else ""),
        ),
        Verdict("none over 30 s", None if not own else slow == 0, f"{slow} of {len(own)}"),
        Verdict(
            "no more API requests a job than dask-kubernetes' own (medians)",
            None if requests is None or fewest is None else requests.median <= fewest,
            f"{_whole(requests)} against {'-' if fewest is None else f'{fewest:g}'}",
        ),
    ]


def verdict_table(runs: Sequence[Run]) -> str:
    return as_table(verdicts(runs))


def as_table(found: Iterable[Verdict]) -> str:
    """As Markdown, a line for each."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    rows = ["| target | reached | |", "|---|---|---|"]
    rows += [f"| {each.target} | {words[each.reached]} | {each.numbers} |" for each in found]
    return "\n".join(rows)


def request_table(runs: Sequence[Run]) -> str:
    """The requests by who asks for what: medians of all runs of a contender, as Markdown; empty if there are none."""
    head = ["| contender | request | a job |", "|---|---|---|"]
    rows = []
    for name in TITLES:
        own = [run for run in runs if run.contender == name and run.succeeded is not None]
        for request in sorted({each for run in own for each in run.requests}):
            typical = statistics.median(run.requests.get(request, 0) for run in own)
            if typical:
                rows.append(f"| {name} | {request} | {typical:g} |")
    return "\n".join([*head, *rows]) if rows else ""


def _requests(runs: Iterable[Run], contender: str) -> Spread | None:
    return spread(
        sum(run.requests.values()) for run in runs if run.contender == contender and run.succeeded is not None
    )


def _middle(runs: Sequence[Run], stage: str) -> float:
    found = spread(run.stages.get(stage) for run in runs)
    return found.median if found else 0.0


def _cell(found: Spread | None) -> str:
    return "-" if found is None else str(found)


def _whole(found: Spread | None) -> str:
    return "-" if found is None else f"{found.median:g} ({found.least:g} to {found.most:g})"


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [{**vars(run), "requests": dict(run.requests), "stages": dict(run.stages)} for run in runs]
