"""The benchmark's arithmetic."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .audit import count_discovery, count_requests
from .report import BARE, DOCUMENTED, FAST, OURS, Run, Spread, outliers, ratios, spread, table, verdicts


def runs(*rounds: tuple[float | None, float, float]) -> list[Run]:
    """A run of ours, dask-kubernetes' (fast) and bare pods for each triple of seconds."""
    made = []
    for number, (ours, fast, bare) in enumerate(rounds):
        made.append(Run(OURS, number, ours, None if ours is None else 1.5, {"a/b create pods": 20}))
        made.append(Run(FAST, number, fast, 5.0, {"c/d create pods": 50}, discovery=30))
        made.append(Run(BARE, number, bare, 1.0))
    return made


def test_spread_passes_over_what_was_not_measured() -> None:
    assert spread([3.0, None, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([None]) is None


def test_ratios_compare_within_a_round() -> None:
    assert ratios(runs((5.0, 8.0, 4.0), (None, 8.0, 4.0), (6.0, 9.0, 6.0)), OURS) == [1.25, 1.0]


def test_a_run_that_never_ended_is_an_outlier() -> None:
    assert outliers(runs((35.0, 8.0, 4.0), (None, 8.0, 4.0), (29.0, 8.0, 4.0))) == 2


@pytest.mark.parametrize(
    ("rounds", "reached"),
    [
        ([(4.5, 8.0, 4.0), (4.4, 7.0, 4.0)], [True, True, True, True, True]),
        ([(4.8, 8.0, 4.0), (4.8, 7.0, 4.0)], [False, True, True, True, True]),
        ([(4.5, 8.0, 4.0), (4.5, 4.4, 4.0)], [True, False, True, True, True]),
        ([(4.5, 8.0, 4.0), (None, 7.0, 4.0)], [True, True, False, False, True]),
    ],
)
def test_verdicts(rounds: list[Any], reached: list[bool]) -> None:
    assert [each.reached for each in verdicts(runs(*rounds))] == reached


def test_without_runs_nothing_is_reached() -> None:
    assert [each.reached for each in verdicts([])] == [None] * 5


def test_more_requests_than_the_peer_miss_the_target() -> None:
    peers = [Run(FAST, 0, 8.0, 5.0, {"y": 50}), Run(DOCUMENTED, 0, 30.0, 5.0, {"y": 60})]
    made = [Run(OURS, 0, 4.0, 1.0, {"x": 51}), *peers]
    assert verdicts(made)[-1].reached is False


def test_table_has_a_line_for_each_contender_that_ran() -> None:
    lines = table(runs((4.5, 8.0, 4.0))).splitlines()
    assert [line.split("|")[1].strip()[:4] for line in lines[2:]] == ["ours", "dask", "bare"]
    assert "4.50 (4.50 to 4.50)" in lines[2]
    assert "50 (50 to 50)" in lines[3]


def request(user: str, verb: str, stage: str = "ResponseComplete", **reference: str) -> str:
    return json.dumps({"stage": stage, "verb": verb, "user": {"username": user}, "objectRef": reference or None})


def test_requests_are_those_of_the_operators_accounts_about_the_jobs_objects() -> None:
    operator, runner = "system:serviceaccount:system:operator", "system:serviceaccount:jobs:daskjob-runner"
    lines = [
        request(operator, "create", resource="pods", namespace="jobs"),
        request(operator, "patch", resource="daskjobs", subresource="status", namespace="jobs"),
        request(runner, "patch", resource="daskjobreports", subresource="status", namespace="jobs"),
        request(operator, "watch", resource="pods", namespace="jobs"),
        request(operator, "update", resource="leases", namespace="jobs"),
        request(operator, "list", resource="pods"),
        request(operator, "create", resource="pods", namespace="elsewhere"),
        request(operator, "get"),
        request("system:serviceaccount:kube-system:replicaset-controller", "create", resource="pods", namespace="jobs"),
        request("admin", "create", resource="daskjobs", namespace="jobs"),
        request(operator, "create", stage="ResponseStarted", resource="pods", namespace="jobs"),
    ]
    assert count_requests(lines, {"jobs"}, {"system", "jobs"}) == {
        "system/operator create pods": 1,
        "system/operator patch daskjobs/status": 1,
        "jobs/daskjob-runner patch daskjobreports/status": 1,
    }
    assert count_discovery(lines, {"system", "jobs"}) == 1
