"""Compares the status of a job that has ended with the `expected.yaml` of its folder, wherever the job ran."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from daskjob.cli.cron import job_of

JOBS = Path(__file__).parents[2] / "jobs"
BACKENDS = ("local", "cluster")
DEFAULT_TIMEOUT = 120

SETTINGS = {"backends", "timeoutSeconds", *BACKENDS}
COMPARED = {"phase", "result", "reason", "exceptionType", "message", "taskKey", "attempts", "progress"}
RESULT = {"type", "value", "types", "size", "sha256"}
#: Without these in the file, all tasks of a job that succeeds are done.
PROGRESS = {"total", "done", "erred"}


def folders(backend: str) -> list[Path]:
    """Every folder of jobs/ that is to be run by that backend."""
    found = sorted(path for path in JOBS.iterdir() if path.is_dir())
    return [folder for folder in found if backend in load(folder).get("backends", BACKENDS)]


def load(folder: Path) -> dict[str, Any]:
    """The folder's expected.yaml, which must hold nothing that is not compared."""
    expected: dict[str, Any] = yaml.safe_load((folder / "expected.yaml").read_text())
    for where in (expected, *(expected.get(backend, {}) for backend in BACKENDS)):
        unknown = set(where) - COMPARED - (SETTINGS if where is expected else set())
        assert not unknown, f"{folder.name}/expected.yaml: nothing compares {sorted(unknown)}"
        unknown = set(where.get("result", {})) - RESULT
        assert not unknown, f"{folder.name}/expected.yaml: nothing compares result.{sorted(unknown)}"
        unknown = set(where.get("progress", {})) - PROGRESS
        assert not unknown, f"{folder.name}/expected.yaml: nothing compares progress.{sorted(unknown)}"
    return expected


def job_in(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The one DaskJob of a folder's manifests, or that which its DaskCronJob makes (under the cron job's name)."""
    kinds = {"DaskJob": dict, "DaskCronJob": job_of}
    (job,) = [kinds[each["kind"]](each) for each in documents if each["kind"] in kinds]
    return job


def timeout(expected: Mapping[str, Any]) -> float:
    """Seconds that the job may take."""
    return float(expected.get("timeoutSeconds", DEFAULT_TIMEOUT))


def check(status: Mapping[str, Any], expected: Mapping[str, Any], backend: str) -> None:
    """Raises AssertionError, with every difference and the status, unless the status is as expected.

    `status`: a DaskJob's, finished. `expected`: what `load` gave. `backend`: local or cluster.
    """
    wanted = {name: value for name, value in expected.items() if name not in SETTINGS} | expected.get(backend, {})
    differences = [*_differences(status, wanted), *_contradictions(status)]
    if differences:
        shown = yaml.safe_dump(dict(status), sort_keys=False, allow_unicode=True, width=120)
        raise AssertionError("\n".join([*differences, "", "status:", shown]))


def _differences(status: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    failure, result, progress = (status.get(name) or {} for name in ("failure", "result", "progress"))
    found = [_equal("phase", wanted["phase"], status.get("phase"))]
    found.append(_equal("attempts", wanted.get("attempts", 1), status.get("attempt")))
    for name in ("reason", "exceptionType"):
        if name in wanted:
            found.append(_equal(f"failure.{name}", wanted[name], failure.get(name)))
    for name in ("message", "taskKey"):
        if name in wanted and not re.search(wanted[name], failure.get(name) or ""):
            found.append(f"failure.{name}: wanted something like {wanted[name]!r}, got {failure.get(name)!r}")
    for name, value in wanted.get("result", {}).items():
        got = result.get(name)
        if name == "value" and got is not None:
            got = json.loads(got)
        found.append(_equal(f"result.{name}", value, got))
    for name, value in wanted.get("progress", {}).items():
        found.append(_equal(f"progress.{name}", value, progress.get(name)))
    if wanted["phase"] == "Succeeded" and "progress" not in wanted:
        found.append(_equal("progress.done", progress.get("total"), progress.get("done")))
    return [difference for difference in found if difference]


def _contradictions(status: Mapping[str, Any]) -> list[str]:
    """What holds for every job that has ended."""
    conditions = {each["type"]: each for each in status.get("conditions", ()) if each["status"] == "True"}
    succeeded = status.get("phase") == "Succeeded"
    ended, other = ("Complete", "Failed") if succeeded else ("Failed", "Complete")
    found = []
    if ended not in conditions or other in conditions:
        found.append(f"conditions: wanted {ended} and not {other}, got {sorted(conditions)}")
    elif not succeeded:
        reason = (status.get("failure") or {}).get("reason")
        found.append(_equal("condition Failed: reason", reason, conditions["Failed"]["reason"]))
        found.append(_equal("summary", reason, status.get("summary")))
    if succeeded and "failure" in status:
        found.append("failure: wanted none for a job that succeeded")
    if succeeded and "value" not in (status.get("result") or {}):
        found.append("result.value: wanted one for a job that succeeded")
    return [difference for difference in found if difference]


def _equal(name: str, wanted: Any, got: Any) -> str:
    # As JSON: 1, 1.0 and true are not the same there.
    same = json.dumps(wanted, sort_keys=True) == json.dumps(got, sort_keys=True)
    return "" if same else f"{name}: wanted {wanted!r}, got {got!r}"
