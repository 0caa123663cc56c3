"""The arithmetic and the table of the overhead's benchmark, and that its job's code can be read as a module."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.schema import validate

from .overhead import LIMIT, manifest, ratio, table


def pair(job: float, plain: float) -> dict[str, Any]:
    measured = {"job": job, "plain": plain}
    return {**{name: {"seconds": each, "cpu": each / 2} for name, each in measured.items()}, "load": 1.5}


PAIRS = [pair(10.0, 8.0), pair(10.1, 10.0), pair(9.0, 10.0)]


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    assert ratio(PAIRS, "seconds") == pytest.approx(1.01)
    assert ratio(PAIRS[:1], "cpu") == pytest.approx(1.25)


def test_the_table_has_a_line_a_pair_and_the_target() -> None:
    text = table(PAIRS, 100_000)
    assert f"**1.010** in the median of 3 pairs (at most {LIMIT}), 1.010 in CPU seconds." in text
    assert "| 1 | 10.00 | 8.00 | 1.250 | 5.00 | 4.00 | 1.250 | 1.5 |" in text.splitlines()
    assert len(text.splitlines()) == 4 + len(PAIRS)


def test_the_job_is_a_valid_one() -> None:
    job = manifest(100_000, 5)
    assert validate(job) == []
    compile(job["spec"]["graph"]["source"]["inline"], "overhead_job.py", "exec")
