"""What a manifest means on this machine: files, settings and command lines, as values. Nothing is started here."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

PROTOCOL = 1
DEFAULT_STARTUP_DEADLINE = 600
#: As on the cluster, unless the operator is told otherwise.
RESULT_BYTES = 256 * 1024

#: Fields of the spec that say what a cluster's operator does; with these values they say nothing special.
UNUSED: Mapping[str, Any] = {
    "backoffLimit": 0,
    "infrastructureRetries": 3,
    "backoff": {"initialSeconds": 10, "maximumSeconds": 300},
    "failurePolicy": None,
    "ttlSecondsAfterFinished": None,
    "cleanup": {"afterSuccessSeconds": 0, "afterFailureSeconds": 0},
    "runPolicy": "Once",
    "priority": 0,
    "priorityClassName": None,
}
OPERATOR = "daskjob.io/operator"

#: A ConfigMap (its JSON) by name, or None where there is none.
FindConfigMap = Callable[[str], Mapping[str, Any] | None]


class PlanError(Exception):
    """The job cannot be run: `reason` and message are those of the job's failure."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Plan:
    """One job. `code`: content of each file by its path; None: the code is in the current directory."""

    name: str
    namespace: str
    uid: str
    generation: int
    graph: Mapping[str, Any]
    code: Mapping[str, bytes] | None
    environment: Mapping[str, str]
    workers: int
    threads: int
    memory: int | None
    min_workers: int
    #: Seconds; None: no limit.
    active_deadline: float | None
    attempt_deadline: float | None
    startup_deadline: float
    stall_timeout: float | None
    #: What is done otherwise here than on the cluster, in sentences.
    notes: tuple[str, ...]

    @property
    def attempt(self) -> str:
        return f"{self.name}-{self.uid[:5]}-1"


def make_plan(manifest: Mapping[str, Any], uid: str, find_config_map: FindConfigMap) -> Plan:
    """The plan of a valid manifest. Raises PlanError for what only shows here: no such ConfigMap; and for a job that
    is cancelled already."""
    spec = manifest["spec"]
    if spec.get("cancel"):
        raise PlanError("Cancelled", "spec.cancel is true: take it out to run the job")
    metadata = manifest["metadata"]
    cluster = spec.get("cluster") or {}
    workers = cluster.get("workers") or {}
    adaptive = workers.get("adaptive")
    notes = control_notes(spec)
    if adaptive:
        notes.append(f"adaptive: all {adaptive['maximum']} workers (the maximum) are started at once here")
    environment: dict[str, str] = {}
    for variable in cluster.get("env") or ():
        if variable.get("valueFrom"):
            name = variable["name"]
            notes.append(f"spec.cluster.env: {name} has valueFrom, which only a cluster can look up: not set")
        else:
            environment[variable["name"]] = expand(variable.get("value") or "", environment)
    limit = ((workers.get("resources") or {}).get("limits") or {}).get("memory")
    return Plan(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "default",
        uid=uid,
        generation=metadata.get("generation") or 1,
        graph={name: spec["graph"].get(name) for name in ("entrypoint", "args", "kwargs", "keys")},
        code=code_files(spec["graph"], find_config_map),
        environment=environment,
        workers=adaptive["maximum"] if adaptive else workers.get("replicas", 1),
        threads=workers.get("threads") or 1,
        memory=quantity(limit) if limit is not None else None,
        min_workers=workers.get("minWorkers") or 1,
        active_deadline=spec.get("activeDeadlineSeconds"),
        attempt_deadline=spec.get("attemptDeadlineSeconds"),
        startup_deadline=spec.get("startupDeadlineSeconds") or DEFAULT_STARTUP_DEADLINE,
        stall_timeout=spec.get("stallTimeoutSeconds"),
        notes=tuple(notes),
    )


def control_notes(spec: Mapping[str, Any]) -> list[str]:
    """What a cluster's operator would do about the job and a local run does not."""
    notes = []
    if spec.get("suspend"):
        notes.append("spec.suspend is true: a cluster would wait until it is false; here the job runs")
    manager = spec.get("managedBy") or OPERATOR
    if manager != OPERATOR:
        notes.append(f"spec.managedBy: on a cluster {manager} decides about the job; here it runs")
    unused = [f"spec.{name}" for name, plain in UNUSED.items() if not _is_plain(spec.get(name), plain)]
    if unused:
        notes.append(f"not used by a local run, which makes one attempt: {', '.join(unused)}")
    return notes


def _is_plain(value: Any, plain: Any) -> bool:
    if isinstance(value, Mapping) and isinstance(plain, Mapping):
        return all(value.get(name, default) == default for name, default in plain.items())
    return value is None or value == plain


def expand(value: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` as in a pod: replaced if an earlier variable has that name; `$$(NAME)` stays `$(NAME)`."""

    def replace(match: re.Match[str]) -> str:
        return match[0][1:] if match[0].startswith("$$") else known.get(match[1], match[0])

    return re.sub(r"\$?\$\(([^()]*)\)", replace, value)


def code_files(graph: Mapping[str, Any], find_config_map: FindConfigMap) -> dict[str, bytes] | None:
    """Content by relative path; None where the manifest brings no code."""
    source = graph.get("source")
    if not source:
        return None
    if source.get("inline") is not None:
        module = graph["entrypoint"].partition(":")[0]
        return {f"{module.replace('.', '/')}.py": source["inline"].encode()}
    if source.get("files") is not None:
        return {path: content.encode() for path, content in source["files"].items()}
    name = source["configMap"]["name"]
    found = find_config_map(name)
    if found is None:
        raise PlanError(
            "ConfigMapNotFound",
            f"spec.graph.source.configMap.name: there is no ConfigMap {name!r} in the job's file or folder; add it "
            f"there as a document (from a cluster: kubectl get configmap {name} -o yaml), or correct the name",
        )
    files = {path: str(content).encode() for path, content in (found.get("data") or {}).items()}
    return files | {path: base64.b64decode(content) for path, content in (found.get("binaryData") or {}).items()}


def write_code(files: Mapping[str, bytes], root: Path) -> None:
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise PlanError("InvalidSpec", f"file name {name!r}: write a relative path without '..'")
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


_SUFFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3}
_SUFFIXES |= {letter: 1000.0**power for power, letter in enumerate("kMGTPE", start=1)}
_SUFFIXES |= {f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", start=1)}


def quantity(value: str | float) -> int:
    """A Kubernetes quantity as a whole number: `512Mi` -> 536870912. Raises PlanError for what is none."""
    match = re.fullmatch(r"\+?([0-9]*\.?[0-9]*)(?:([eE][-+]?[0-9]+)|([KMGTPE]i|[numkMGTPE]))?", str(value))
    if match is None or not any(each.isdigit() for each in match[1]):
        raise PlanError("InvalidSpec", f"{value!r} is no quantity: write for example 512Mi or 2Gi")
    return int(float(match[1] + (match[2] or "")) * _SUFFIXES[match[3] or ""])


def job_file(plan: Plan, address: str, code_path: Path) -> str:
    """The runner's job.json."""
    return json.dumps(
        {
            "protocol": PROTOCOL,
            "job": {"namespace": plan.namespace, "name": plan.name, "uid": plan.uid},
            "attempt": 1,
            "report": plan.attempt,
            "graph": {name: value for name, value in plan.graph.items() if value is not None},
            "scheduler": {"address": address, "timeoutSeconds": plan.startup_deadline},
            "codePath": str(code_path),
            "minWorkers": min(plan.workers, plan.min_workers),
            "adaptive": None,
            "limits": {"resultBytes": RESULT_BYTES},
        }
    )


def scheduler_command(port: int, scheduler_file: Path, dashboard: int | None) -> list[str]:
    shown = ["--no-dashboard"] if dashboard is None else ["--dashboard-address", f"127.0.0.1:{dashboard}"]
    # -P: Python is not to import from the folder it starts in.
    return [
        *(sys.executable, "-P", "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)),
        *("--scheduler-file", str(scheduler_file), *shown),
    ]


def worker_command(plan: Plan, name: str, scheduler_file: Path, scratch: Path) -> list[str]:
    """A worker; under a nanny only with a memory limit, which the nanny enforces: a second process takes its time."""
    memory = ["--no-nanny"] if plan.memory is None else ["--nanny", "--memory-limit", str(plan.memory)]
    return [
        *(sys.executable, "-P", "-m", "distributed.cli.dask_worker", "--scheduler-file", str(scheduler_file)),
        *("--host", "127.0.0.1", "--no-dashboard", "--name", name, "--nthreads", str(plan.threads)),
        *("--local-directory", str(scratch), "--death-timeout", "60", *memory),
    ]
