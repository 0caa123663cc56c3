"""Cron jobs, offline: the CRD's rules, and what only the reading of a schedule shows."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.cli.cron import job_of, schedule_problems
from daskjob.schema import apply_defaults, validate

from .cases import Refused, a_job
from .cron_cases import ACCEPTED, REFUSED, a_cron_job


@pytest.mark.parametrize("manifest", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(manifest: dict[str, Any]) -> None:
    assert validate(manifest) == []
    assert schedule_problems(apply_defaults(manifest)) == []


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused(case: Refused) -> None:
    found = validate(case.manifest)
    assert [each.path for each in found] == [case.field], found
    assert case.words in found[0].message


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ("{schedule: '61 * * * *'}", "spec.schedule", "'61' is no minute: write *, a number from 0 to 59"),
        ("{schedule: '* 24 * * *'}", "spec.schedule", "'24' is no hour"),
        ("{schedule: '* * 0 * *'}", "spec.schedule", "'0' is no day of month"),
        ("{schedule: '* * * 13 *'}", "spec.schedule", "'13' is no month: write *, a number from 1 to 12 or JAN to DEC"),
        (
            "{schedule: '* * * * 7'}",
            "spec.schedule",
            "'7' is no day of week: write *, a number from 0 to 6 (Sunday is 0)",
        ),
        ("{schedule: '* 18-8 * * *'}", "spec.schedule", "'18-8' is no hour"),
        ("{schedule: '* * * * FRI-MON'}", "spec.schedule", "'FRI-MON' is no day of week"),
        ("{schedule: '*/0 * * * *'}", "spec.schedule", "'*/0' is no minute"),
        ("{schedule: '* * * * abc'}", "spec.schedule", "'abc' is no day of week"),
        ("{schedule: '0 0 31 2 *'}", "spec.schedule", "never comes: no such month has that day"),
        ("{schedule: '0 0 31 4,JUN *'}", "spec.schedule", "never comes"),
        ("{timeZone: Europe/Atlantis}", "spec.timeZone", "unknown time zone 'Europe/Atlantis': write a name such as"),
        ("{timeZone: Europe}", "spec.timeZone", "unknown time zone"),
        ("{timeZone: a/../../etc}", "spec.timeZone", "unknown time zone"),
    ],
)
def test_what_only_shows_when_it_is_read(spec: str, field: str, words: str) -> None:
    manifest = a_cron_job(spec)
    assert validate(manifest) == []
    (problem,) = schedule_problems(manifest)
    assert problem.path == field
    assert words in problem.message


def test_the_job_of_a_cron_job_is_its_template_under_its_name() -> None:
    metadata = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    manifest = a_cron_job({"jobTemplate": {"metadata": metadata}}, namespace="team", labels={"not": "the job's"})
    job = job_of(manifest)
    assert job == a_job(name="nightly") | {"metadata": {"name": "nightly", "namespace": "team", **metadata}}
    assert validate(job) == []
