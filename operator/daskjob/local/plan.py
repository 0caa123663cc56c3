"""What a manifest means on this machine: files, settings and command lines, as values. Nothing is started here."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from daskjob.api.cluster_spec import DEFAULT_GROUP, WorkerGroup, Workers, path_of_group
from daskjob.api.constants import MANAGED_BY, Reason, WorkerCommand
from daskjob.api.graph_spec import Graph
from daskjob.api.resource_json import camel
from daskjob.api.spec import Cleanup, DaskJobSpec, parse_spec
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.observation import Job
from daskjob.lifecycle.job.reading import read_job
from daskjob.manifests.attempt import refusals, rejections
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.merging import merge
from daskjob.manifests.runner import store_orders
from daskjob.runner.dask_process import DASK_CUDA, DASK_WORKER
from daskjob.schema.limits import problem_in
from daskjob.schema.quantity import amount
from daskjob.sources import Fetch, FindConfigMap, SourceError, source_of
from daskjob.wire.jobfile import JobFile

#: How the names of workers begin.
WORKER_PREFIX = "worker-"
#: Fields of the spec that say what a cluster's operator does; with their defaults they say nothing special.
UNUSED = (
    "backoff_limit",
    "infrastructure_retries",
    "backoff",
    "failure_policy",
    "ttl_seconds_after_finished",
    "cleanup",
    "run_policy",
    "priority",
    "priority_class_name",
)


class PlanError(Exception):
    """The job cannot be run: `reason` and message are those of the job's failure."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class PlannedGroup:
    """The workers of one group. `processes`: of each, started by Dask's command, or that of dask-cuda; `prefix`: how
    their names begin; `memory`: of each worker, in bytes, None: no limit; `options`: of Dask's command; `environment`:
    variables beside those of all processes."""

    count: int
    processes: int
    command: WorkerCommand
    prefix: str
    memory: int | None
    options: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """One job. `code`: content of each file by its path; None: the code is in the current directory, or `fetch` says
    where it comes from; `groups`: by key; `notes`: what is done otherwise here than on the cluster, in sentences."""

    job: Job
    code: Mapping[str, bytes] | None
    fetch: Fetch | None
    environment: Mapping[str, str]
    groups: Mapping[str, PlannedGroup]
    notes: tuple[str, ...]
    #: What a client pickled; None: the entry point says what to run.
    payload: bytes | None = field(default=None, repr=False)


def read_manifest(manifest: Mapping[str, Any], uid: str, now: datetime) -> Job:
    """The job of a valid manifest, as a cluster's operator would read it, less what a local run does not do: further
    attempts, waiting, removal, another controller."""
    metadata = {"namespace": "default", "generation": 1, **manifest["metadata"], "uid": uid}
    job = read_job({**manifest, "metadata": metadata, "status": {}}, now)
    spec = replace(
        job.spec,
        backoff_limit=0,
        infrastructure_retries=0,
        failure_policy=None,
        ttl_seconds_after_finished=None,
        cleanup=Cleanup(),
        run_policy=DaskJobSpec.run_policy,
        suspend=False,
        managed_by=MANAGED_BY,
    )
    return replace(job, spec=spec, unmanaged=None)


def make_plan(
    manifest: Mapping[str, Any], job: Job, find_config_map: FindConfigMap, payload: bytes | None = None
) -> Plan:
    """The plan of a manifest that `schema.validate` finds valid. Raises PlanError for what only shows here: no such
    ConfigMap; for arguments beyond the limits; and for a job that is cancelled already."""
    if job.spec.cancel:
        raise PlanError(Reason.CANCELLED, "spec.cancel is true: take it out to run the job")
    problem = problem_in(manifest["spec"])
    if problem is not None:
        raise PlanError(Reason.INVALID_SPEC, problem)
    check_payload(job.spec.graph, payload)
    cluster, notes = job.spec.cluster, control_notes(manifest["spec"])
    if any(each.command is WorkerCommand.CUDA for each in cluster.groups.values()) and find_spec("dask_cuda") is None:
        raise PlanError(
            Reason.DASK_CUDA_MISSING,
            "command: cuda needs dask-cuda and a GPU on this machine: pip install dask-cuda, or leave command out to "
            "try the job without a GPU",
        )
    for key, workers in cluster.groups.items():
        if workers.adaptive is not None:
            who = f"workers of group {key}" if cluster.worker_groups else "workers"
            notes.append(f"adaptive: all {workers.adaptive.maximum} {who} (the maximum) are started at once here")
    store = job.spec.result.store
    if store is not None and store.secret_ref is not None:
        notes.append("spec.result.store.secretRef: here the credentials are those of this process's own environment")
    if job.spec.report is not None:
        notes.append("spec.report: nothing is saved into a store here; --report FOLDER keeps trace and report")
        job = replace(job, spec=replace(job.spec, report=None))
    templates = [cluster.scheduler.template, *(each.template for each in cluster.groups.values())]
    if any(_has_sources(each) for each in (*templates, job.spec.runner.template)):
        notes.append(
            "envFrom of the pod templates: only a cluster has Secrets and ConfigMaps; set the variables here yourself"
        )
    theirs = read_environment(cluster.env, "spec.cluster.env", {}, notes)
    environment = {**cluster.scheduler.environment, **theirs}
    judged = AttemptContext(job.ref, job.spec, Attempt(1, job.name))
    refused = [f"an operator with the chart's defaults refuses the job: {each}" for each in refusals(judged)]
    notes += refused or [f"Kubernetes refuses the job's pods: {each}" for each in rejections(judged)]
    source = source_of(job.spec.graph)
    fetch = source.fetch() if source is not None else None
    if fetch is not None and fetch.secret:
        notes.append(f"{fetch.secret_field}: only a cluster has Secrets; here git's own configuration counts")
    if job.spec.graph.pip is not None:
        listed = " ".join(job.spec.graph.pip.packages)
        notes.append(
            f"spec.graph.pip: nothing is installed here; your Python must have {listed} (pip install {listed})"
        )
    # Nothing is scaled here, and no port-forward leads to the dashboard.
    fixed = replace(
        cluster,
        workers=replace(cluster.workers, adaptive=None, replicas=cluster.workers.most),
        worker_groups=tuple(replace(each, adaptive=None, replicas=each.most) for each in cluster.worker_groups),
        dashboard=False,
    )
    return Plan(
        job=replace(job, spec=replace(job.spec, cluster=fixed)),
        code=code_files(job.spec.graph, find_config_map) if fetch is None else None,
        fetch=fetch,
        environment=environment,
        groups={key: _plan_group(key, each, theirs, notes) for key, each in fixed.groups.items()},
        notes=tuple(notes),
        payload=payload,
    )


def _plan_group(key: str, workers: Workers, known: Mapping[str, str], notes: list[str]) -> PlannedGroup:
    """`known`: the user's variables of all processes. A note is added for each that only a cluster can look up."""
    limit = memory_limit(workers)
    own = workers.env if isinstance(workers, WorkerGroup) else ()
    return PlannedGroup(
        count=workers.most,
        processes=workers.processes,
        command=workers.command,
        prefix=WORKER_PREFIX if key == DEFAULT_GROUP else f"{key}-{WORKER_PREFIX}",
        memory=quantity(limit) if limit is not None else None,
        options=workers.dask_options,
        environment=read_environment(own, f"{path_of_group(key)}.env", known, notes),
    )


def check_payload(graph: Graph, payload: bytes | None) -> None:
    """Raises PlanError if the job names a payload and this is not it."""
    named = graph.source.payload if graph.source is not None else None
    if named is None:
        return
    if payload is None:
        raise PlanError(
            Reason.PAYLOAD_MISSING,
            "spec.graph.source.payload: a Python client pickled it for a job of its own, and no manifest has it: "
            "submit the function by daskjob.connect(backend='local')",
        )
    if hashlib.sha256(payload).hexdigest() != named.sha256:
        raise PlanError(Reason.FILES_CHANGED, "spec.graph.source.payload: the payload has another SHA-256")


def _has_sources(template: Mapping[str, Any]) -> bool:
    """Whether a pod has variables from Secrets or ConfigMaps."""
    return any(each.get("envFrom") for each in (template.get("spec") or {}).get("containers") or ())


def memory_limit(workers: Workers) -> Any:
    """The limit of the container of a worker, by its resources or by the template; None: it has none."""
    merged = merge(
        {"containers": [{"name": "worker", "resources": dict(workers.resources)}]}, workers.template.get("spec") or {}
    )
    resources = next(each for each in merged["containers"] if each["name"] == "worker").get("resources") or {}
    return (resources.get("limits") or {}).get("memory")


def control_notes(spec: Mapping[str, Any]) -> list[str]:
    """What a cluster's operator would do about the job and a local run does not."""
    given, plain, notes = parse_spec(spec), DaskJobSpec(), []
    if given.suspend:
        notes.append("spec.suspend is true: a cluster would wait until it is false; here the job runs")
    if given.managed_by != MANAGED_BY:
        notes.append(f"spec.managedBy: on a cluster {given.managed_by} decides about the job; here it runs")
    unused = [f"spec.{camel(name)}" for name in UNUSED if getattr(given, name) != getattr(plain, name)]
    if unused:
        notes.append(f"not used by a local run, which makes one attempt: {', '.join(unused)}")
    return notes


def read_environment(variables: Sequence[Any], path: str, known: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    """The user's variables. A note is added for each that only a cluster can look up. `path`: the field that has them;
    `known`: earlier variables."""
    environment: dict[str, str] = {}
    for variable in variables:
        if variable.get("valueFrom"):
            name = variable["name"]
            notes.append(f"{path}: {name} has valueFrom, which only a cluster can look up: not set")
        else:
            environment[variable["name"]] = expand(variable.get("value") or "", {**known, **environment})
    return environment


def expand(value: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` as in a pod: replaced if an earlier variable has that name; `$$` becomes `$`."""

    def replacement(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replacement, value)


def code_files(graph: Graph, find_config_map: FindConfigMap) -> dict[str, bytes] | None:
    """Content by relative path; None where the manifest brings no code. Raises PlanError."""
    source = source_of(graph)
    try:
        return source.fetch_locally(find_config_map) if source is not None else None
    except SourceError as error:
        raise PlanError(error.reason, str(error)) from error


def write_code(files: Mapping[str, bytes], root: Path) -> None:
    """Writes the files below `root`. Raises PlanError for a name that leads out of it."""
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise PlanError(Reason.INVALID_SPEC, f"file name {name!r}: write a relative path without '..'")
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def quantity(value: str | float) -> int:
    """A Kubernetes quantity as a whole number: `512Mi` -> 536870912. Raises PlanError for what is none."""
    try:
        number = amount(str(value))
    except ValueError:
        number = None
    if number is None or number < 0:
        raise PlanError(Reason.INVALID_SPEC, f"{value!r} is no quantity: write for example 512Mi or 2Gi")
    return int(number)


def job_file(plan: Plan, report: str, address: str, code_path: Path, payload_path: Path | None = None) -> JobFile:
    """What the runner is to run, and where. `report`: the attempt's name."""
    job, graph = plan.job, plan.job.spec.graph
    return JobFile(
        namespace=job.namespace,
        name=job.name,
        uid=job.uid,
        report=report,
        entrypoint=graph.entrypoint,
        args=list(graph.args),
        kwargs=dict(graph.kwargs),
        keys=list(graph.keys) or None,
        scheduler=address,
        scheduler_timeout=job.spec.startup_deadline_seconds,
        code_path=str(code_path),
        payload_path=str(payload_path) if payload_path is not None else None,
        groups=tuple(each.orders(key, plan.groups[key].prefix) for key, each in job.spec.cluster.groups.items()),
        store=store_orders(job.spec.result.store, job.spec.result),
    )


def _dask(module: str) -> list[str]:
    """The beginning of a command of Dask's. A preload that fails ends its process, and the output is kept if a variable
    says where."""
    # -P: Python is not to import from the folder it starts in.
    return [sys.executable, "-P", "-m", "daskjob.runner.preloads", module]


def scheduler_command(port: int, scheduler_file: Path, dashboard: int | None, options: Sequence[str] = ()) -> list[str]:
    """`dashboard`: the port of Dask's dashboard on the loopback; None: it is not served, only health and metrics;
    `options`: further ones."""
    shown = ["--dashboard-address", f"127.0.0.1:{dashboard or 0}", *(["--no-dashboard"] if dashboard is None else [])]
    return [
        *(*_dask("distributed.cli.dask_scheduler"), "--host", "127.0.0.1", "--port", str(port)),
        *("--scheduler-file", str(scheduler_file), *shown, *options),
    ]


def worker_command(group: PlannedGroup, name: str, scheduler_file: Path, scratch: Path) -> list[str]:
    """A worker; of one process, under a nanny only with a memory limit, which the nanny enforces: a second process
    takes its time."""
    cuda = group.command is WorkerCommand.CUDA
    memory = ["--memory-limit", str(group.memory // group.processes)] if group.memory is not None else []
    if not cuda:
        alone = group.processes == 1 and group.memory is None
        memory += ["--no-nanny"] if alone else ["--nanny", "--nworkers", str(group.processes)]
    return [
        *(*_dask(DASK_CUDA if cuda else DASK_WORKER), "--scheduler-file", str(scheduler_file)),
        *(
            "--host",
            "127.0.0.1",
            "--no-dashboard",
            "--dashboard-address",
            "127.0.0.1:0",
            "--name",
            name,
            *group.options,
        ),
        *("--local-directory", str(scratch), "--death-timeout", "60", *memory),
    ]
