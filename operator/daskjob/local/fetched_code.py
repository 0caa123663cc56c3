"""Fetches the code of a local run by the program that fetches it in a pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from daskjob.api.constants import Reason
from daskjob.api.runner_report import read_termination_message
from daskjob.lifecycle.job.observation import Job
from daskjob.local.plan import Plan, PlanError
from daskjob.local.reaper import MARKER
from daskjob.manifests.fetch_container import FETCH_SHARE
from daskjob.sources import Fetch

#: Seconds that the program may take beyond the time of its work.
SPARE = 30


def at_version(job: Job, version: str) -> Job:
    """The job with the commit that was fetched, which need not be found any more; unchanged where there is none."""
    source = job.spec.graph.source
    if source is None or source.git is None or not version:
        return job
    pinned = replace(source, git=replace(source.git, revision=version))
    return replace(job, spec=replace(job.spec, graph=replace(job.spec.graph, source=pinned)))


def fetch_code(fetch: Fetch, plan: Plan, program: Path, folder: Path) -> tuple[Path, str]:
    """Brings the code into a folder of the run. Returns the folder for the path, and the commit or the digest.
    `program`: the runner's zipapp; `folder`: one that only this run has. Raises PlanError.

    What the user's own git is configured to do counts, with its credentials: there is no Secret here.
    """
    target, log = folder / "code", folder / "fetch-log"
    seconds = max(1, int(FETCH_SHARE * plan.job.spec.startup_deadline_seconds))
    orders = {
        "kind": fetch.kind,
        "what": {**fetch.what, "own": True},
        "work": str(folder / "fetch"),
        "target": str(target),
        "seconds": seconds,
    }
    command = [sys.executable, str(program), "--fetch", json.dumps(orders)]
    environment = {**os.environ, **plan.environment, "DASKJOB_TERMINATION_LOG": str(log), MARKER: "fetch"}
    try:
        subprocess.run(command, env=environment, timeout=seconds + SPARE, stdin=subprocess.DEVNULL, capture_output=True)
        report = read_termination_message(log.read_text())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlanError(Reason.SOURCE_UNREACHABLE, f"the code could not be fetched: {error}") from error
    if report is None or report.failure is not None:
        failure = report.failure if report is not None else None
        reason = Reason(failure.reason) if failure is not None else Reason.SOURCE_UNREACHABLE
        raise PlanError(reason, (failure.message if failure is not None else None) or "the code could not be fetched")
    version = json.loads((report.result.value if report.result is not None else None) or "null")
    return target / fetch.sub_path, str(version or "")
