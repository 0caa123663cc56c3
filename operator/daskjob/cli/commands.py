"""The command line. Here are `daskjob run`, `validate` and `explain`, which need no cluster."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

import daskjob as package
from daskjob.cli import cron
from daskjob.cli.exit_codes import BAD_INPUT, FAILED, SUCCEEDED
from daskjob.cli.lazy_group import LazyGroup
from daskjob.cli.output import explain as explain_end
from daskjob.cli.output import line, tell, write
from daskjob.cli.templates import Installation

if TYPE_CHECKING:
    from daskjob.cli.documents import Document
    from daskjob.cli.live import Display
    from daskjob.cli.script_manifest import ScriptOptions

#: A kind that has a definition, and that nobody writes.
REPORT = "DaskJobReport"
#: More are only counted.
MOST_PROBLEMS = 200

PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True)
RECURSIVE = click.option("-R", "--recursive", is_flag=True, help="Look into folders of folders, too.")


#: Commands that are imported when they are called.
LATER = {
    "submit": "daskjob.cli.submitting:submit",
    **{name: f"daskjob.cli.cluster_views:{name}" for name in ("status", "result", "events")},
    "list": "daskjob.cli.cluster_views:list_jobs",
    "wait": "daskjob.cli.waiting_commands:wait",
    "logs": "daskjob.cli.waiting_commands:logs",
    **{name: f"daskjob.cli.job_changes:{name}" for name in ("cancel", "retry", "suspend", "resume", "delete")},
    "cron": "daskjob.cli.cron_commands:cron",
    "completion": "daskjob.cli.completing:completion",
    "version": "daskjob.cli.completing:version",
    "schema": "daskjob.cli.schema_command:schema",
    "init": "daskjob.cli.init_command:init",
    "doctor": "daskjob.cli.doctor:doctor",
    "dashboard": "daskjob.cli.dashboard_command:dashboard",
    "report": "daskjob.cli.report_command:report",
}


@click.group(cls=LazyGroup, later=LATER, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package.__version__, message="daskjob %(version)s")
def daskjob() -> None:
    """Run Dask graphs from DaskJob and DaskCronJob manifests: on a cluster, or here, the way a cluster would.

    Exit code: 0 done or succeeded, 1 a job failed, 2 bad input, 3 the cluster cannot be reached or refused, 4 not
    found, 5 cancelled or deleted, 124 time-out, 130 interrupted.
    """


@daskjob.command()
@PATHS
@RECURSIVE
@click.option("--allow", metavar="WORD", multiple=True, help="A word of the installation's job.allow; repeatable.")
@click.option("--allow-metadata", metavar="NAME", multiple=True, help="A name of its job.allowMetadata; repeatable.")
@click.option(
    "--pod-security",
    type=click.Choice(["restricted", "baseline", "privileged"]),
    default="restricted",
    show_default=True,
    help="Its job.podSecurity.",
)
@click.option("--service-account", metavar="NAME", multiple=True, help="A name of its job.serviceAccounts; repeatable.")
def validate(
    paths: tuple[str, ...],
    recursive: bool,
    allow: tuple[str, ...],
    allow_metadata: tuple[str, ...],
    pod_security: str,
    service_account: tuple[str, ...],
) -> None:
    """Check manifests offline, by the rules of API server and operator.

    Schedules are read, and pod templates judged, as by an operator that is installed with these values of the chart.
    PATH is a file, a folder or - for standard input. Exit code: 0 all are valid, 2 not.
    """
    _check_words(allow)
    jobs, _ = load(paths, recursive)
    check(jobs, Installation(allow, allow_metadata, pod_security, service_account), err=False)
    for job in jobs:
        tell(f"{job.title}: valid")


@daskjob.command()
@PATHS
@RECURSIVE
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "value"]),
    help="What to print in the end: the whole object, as kubectl get would, or the result's value alone (JSON).",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Show the logs of Dask's scheduler and workers.")
@click.option("--dashboard", is_flag=True, help="Serve Dask's dashboard on this machine while the job runs.")
@click.option(
    "--report",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep there, in a folder of each job, a trace of its tasks for Perfetto and Dask's performance report.",
)
def run(
    paths: tuple[str, ...],
    recursive: bool,
    output: str | None,
    quiet: bool,
    verbose: bool,
    dashboard: bool,
    report: Path | None,
) -> None:
    """Run the DaskJobs of manifests on this machine, one after the other; of a DaskCronJob, its job, once.

    PATH is a file, a folder or - for standard input; or code, as my.py:graph, with its arguments after it. Results go
    to stdout; progress and what the jobs print go to stderr. Exit code: 0 all succeeded, 1 a job failed, 2 bad input,
    130 interrupted.
    """
    jobs, others = load(paths, recursive)
    check(jobs, None, err=True)
    if os.name != "posix":
        refuse("running jobs here needs Linux or macOS: on Windows, use WSL")
    if importlib.util.find_spec("distributed") is None:
        refuse("running jobs here needs dask and distributed: pip install 'daskjob[local]'")

    from daskjob.cli.documents import named
    from daskjob.cli.live import display

    jobs = [named(job) for job in jobs]
    finished: list[Mapping[str, Any]] = []
    width = max(len(job.name) for job in jobs)
    with _interruptible() as interrupted:
        for job in jobs:
            with display(job.name, quiet=quiet) as shown:
                content = _run_one(
                    job, others, interrupted.event, shown, dashboard=dashboard, logs=verbose, report=report
                )
            finished.append(content)
            if output is None:
                tell(line(content, width))
            tell(explain_end(content), err=True, nl=False)
            if interrupted.number is not None:
                break
    if output is not None:
        write(finished, output)
    left = [job.name for job in jobs[len(finished) :]]
    if left:
        tell(f"not run: {', '.join(left)}", err=True)
    if interrupted.number is not None:
        sys.exit(128 + interrupted.number)
    sys.exit(SUCCEEDED if all(each["status"]["phase"] == "Succeeded" for each in finished) else FAILED)


@daskjob.command()
@click.argument("file", metavar="OBSERVATION.json", type=click.File())
def explain(file: IO[str]) -> None:
    """Say why the operator decides as it does about a job.

    With log.level DEBUG the operator logs what it observes of each job, without secrets. OBSERVATION.json is such a
    line, or the JSON at its end; - reads standard input. Rules and their order: docs/lifecycle.md.
    """
    from daskjob.cli.explanation import explain as lines
    from daskjob.lifecycle.job.replay import load

    try:
        observation = load(file.read())
    except ValueError as error:
        refuse(f"{file.name}: {error}; give a line of the operator's log at DEBUG, or the JSON at its end")
    for each in lines(observation):
        tell(each)


def _run_one(
    job: Document,
    others: list[Document],
    cancel: threading.Event,
    shown: Display,
    *,
    dashboard: bool,
    logs: bool,
    report: Path | None,
) -> Mapping[str, Any]:
    """The job with its defaults and its status, as it would be read from a cluster."""
    from daskjob.cli.documents import find_config_map
    from daskjob.local.backend import run as run_locally
    from daskjob.schema import apply_defaults

    content = apply_defaults(job.content)
    manifest = apply_defaults(cron.job_of(content)) if job.kind == cron.KIND else content
    uid = str(uuid.uuid4())
    status = run_locally(
        manifest,
        uid=uid,
        find_config_map=lambda name: find_config_map(job, others, name),
        listener=shown,
        cancel=cancel,
        dashboard=dashboard,
        logs=logs,
        report=report / job.name if report is not None else None,
    )
    metadata = {"namespace": "default", **manifest["metadata"], "uid": uid, "generation": 1}
    created = {"creationTimestamp": status["startTime"]}
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": metadata | created,
        "spec": manifest["spec"],
        "status": status,
    }


def load(
    paths: tuple[str, ...], recursive: bool, options: ScriptOptions | None = None
) -> tuple[list[Document], list[Document]]:
    """The jobs, and what else was read; of a script or module with its arguments, its job, for which `options` are.
    Ends the program if the files cannot be read."""
    from daskjob.cli.documents import InputError, load_jobs
    from daskjob.cli.script_manifest import ScriptOptions, is_script, script_job

    try:
        if is_script(paths[0]):
            return [script_job(paths[0], paths[1:], options or ScriptOptions())], []
        if options is not None and options.are_given():
            raise InputError(
                f"{paths[0]}: is a manifest, in which name, image and workers stand: leave the options out"
            )
        return load_jobs(paths, recursive=recursive)
    except InputError as error:
        refuse(str(error))


def _check_words(words: tuple[str, ...]) -> None:
    from daskjob.manifests.words import WORDS

    unknown = next((each for each in words if each not in WORDS), None)
    if unknown is not None:
        refuse(f"--allow: {unknown!r} is unknown; give one of {', '.join(WORDS)}")


def check(
    jobs: Sequence[Document], installation: Installation | None, *, err: bool, server_checks: bool = False
) -> None:
    """Ends the program, after telling of every problem, unless all are valid. `installation`: whose operator judges the
    pods; None: nobody does. `server_checks`: leave to an API server what it checks anyway."""
    from daskjob.schema import FieldError, apply_defaults, unchecked_by_server
    from daskjob.schema import validate as find_problems

    if not server_checks:
        _import_jsonschema()
    problems = []
    first_by_name: dict[tuple[str, str, str], Document] = {}
    for job in jobs:
        found = unchecked_by_server(job.content) if server_checks else find_problems(job.content)
        if job.kind == REPORT:
            found = [FieldError("kind", f"{REPORT} is what a runner reports: the operator creates it; leave it out")]
        if not found and job.kind == cron.KIND:
            found = cron.schedule_problems(job.content)
        if not found and installation is not None:
            from daskjob.cli.failure_policy import reason_problems

            stored = apply_defaults(job.content)
            found = [*reason_problems(stored), *installation.refusals(stored)]
        problems += [f"{job.title}: {each}" for each in found]
    for job in jobs:
        first = first_by_name.setdefault((job.kind, job.namespace, job.name), job)
        if first is not job:
            problems.append(f"{job.title}: metadata.name: {first.title} has the same name: give each its own")
    for problem in problems[:MOST_PROBLEMS]:
        tell(problem, err=err)
    if len(problems) > MOST_PROBLEMS:
        tell(f"and {len(problems) - MOST_PROBLEMS} more problems", err=err)
    if problems:
        sys.exit(BAD_INPUT)


def _import_jsonschema() -> None:
    """Without its check of IRIs, which no schema here has: it comes with Jupyter, and takes a second to import."""
    checks: dict[str, Any] = dict.fromkeys({"rfc3987_syntax"} - set(sys.modules))
    sys.modules.update(checks)
    try:
        importlib.import_module("jsonschema")
    finally:
        for name in checks:
            del sys.modules[name]


def refuse(message: str) -> NoReturn:
    """Ends the program: bad input."""
    tell(f"daskjob: {message}", err=True)
    sys.exit(BAD_INPUT)


class _Interrupted:
    """Which signal asked to end, if any; `event` is set by then."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.number: int | None = None


@contextmanager
def _interruptible() -> Iterator[_Interrupted]:
    """Ctrl-C and a polite kill end the job that runs, which takes a moment, and then the program."""
    interrupted = _Interrupted()

    def note(number: int, frame: FrameType | None) -> None:
        interrupted.number = number
        interrupted.event.set()

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
