"""`daskjob list`, `status`, `result` and `events`: what there is on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daskjob.api.resource import DASK_JOBS
from daskjob.cli.cluster_options import NAME, OUTPUTS, STORAGE_OPTIONS, cluster, connect
from daskjob.cli.columns import JOB_COLUMNS, Columns, duration, lay_out, rows
from daskjob.cli.exit_codes import CANCELLED, FAILED
from daskjob.cli.output import how_to_open, is_pickle, tell, write, write_content, write_value
from daskjob.cli.states import describe, where, why
from daskjob.client.credentials import Target
from daskjob.client.job_end import End, end_of, status_of
from daskjob.client.problems import WrongState

if TYPE_CHECKING:
    from daskjob.client.job_client import JobClient

Body = dict[str, Any]
PHASES = ("Pending", "Queued", "Starting", "Running", "Retrying", "Suspended", "Succeeded", "Failed")


@click.command("list")
@cluster
@click.option("-A", "--all-namespaces", is_flag=True, help="The jobs of all namespaces.")
@click.option("--phase", type=click.Choice(PHASES, case_sensitive=False), multiple=True, help="Repeatable.")
@click.option("-l", "--selector", metavar="LABELS", help="As team=a,stage!=test.")
@click.option("-w", "--watch", is_flag=True, help="Then show each change, until Ctrl-C.")
@click.option("-o", "--output", type=click.Choice(OUTPUTS), default="table", show_default=True)
def list_jobs(
    target: Target, all_namespaces: bool, phase: tuple[str, ...], selector: str | None, watch: bool, output: str
) -> None:
    """Show the jobs."""
    client = connect(target)
    namespace = None if all_namespaces else client.namespace
    if watch and output in ("json", "yaml"):
        raise click.UsageError(f"-w shows a line for each change: leave out -o {output}")
    if watch:
        _watch(client, namespace, selector, phase, output)
        return
    found = client.list_objects(namespace, all_namespaces=all_namespaces, labels=selector)
    chosen = [each for each in found if _has_phase(each, phase)]
    if not chosen and output in ("table", "wide"):
        tell(
            f"no DaskJobs {f'in namespace {namespace}' if namespace else 'in any namespace'}"
            f"{' that match' if phase or selector else ''}",
            err=True,
        )
        return
    show(chosen, JOB_COLUMNS, output, namespaces=all_namespaces)


@click.command()
@NAME
@cluster
@click.option("-w", "--watch", is_flag=True, help="Show each change until the end; the exit code says how it ended.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml", "name"]), default="text", show_default=True)
def status(target: Target, name: str, watch: bool, output: str) -> None:
    """Show where a job is, why it waits, and why it failed."""
    client = connect(target)
    if watch:
        if output != "text":
            raise click.UsageError(f"-w shows a line for each change: leave out -o {output}")
        _watch_status(client, name)
    job = client.get(name)
    if output == "text":
        tell(describe(job, datetime.now(UTC)), nl=False)
    elif output == "name":
        show([job], JOB_COLUMNS, output)
    else:
        write_content(job, output)


@click.command()
@NAME
@cluster
@click.option(
    "-o",
    "--output",
    type=click.Choice(["value", "json", "yaml"]),
    default="value",
    show_default=True,
    help="The value alone (JSON), or the whole record of the result: type, size, sha256, and in which store it is.",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Copy the files of a result in a store into this folder. Needs fsspec, its driver, and credentials.",
)
@STORAGE_OPTIONS
def result(target: Target, name: str, output: str, folder: Path | None, storage_options: dict[str, Any]) -> None:
    """Print the result of a job that has succeeded, or where it is."""
    job = connect(target).get(name)
    end = end_of(job)
    if end is None:
        raise WrongState(f"{name} has no result yet: it is {where(job)}; daskjob wait {name} waits for its end")
    if end is not End.SUCCEEDED:
        tell(why(job) or f"{name} has no result: it was cancelled\n", err=True, nl=False)
        sys.exit(FAILED if end is End.FAILED else CANCELLED)
    record = status_of(job).get("result") or {}
    if folder is not None:
        _copy(job, record, folder, storage_options)
    elif output != "value":
        write_content(record, output)
    elif is_pickle(record):
        tell(how_to_open(job), err=True)
        sys.exit(FAILED)
    elif record.get("location"):
        _show_stored(job, record, storage_options)
    elif record.get("value") is None:
        tell(
            f"the value of {name} was not kept: {status_of(job).get('summary') or 'daskjob status says why'}", err=True
        )
        sys.exit(FAILED)
    else:
        write([job], "value")


def _show_stored(job: Body, record: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Prints the value of a stored result that is short or JSON; of another one, where it is."""
    if record.get("format") == "json":
        from daskjob.client.stored_results import StoredCopy

        write_value(record.get("preview") or StoredCopy(job, options).json_value() or "null")
        return
    tell(f"{record.get('type')} in {record.get('format')}, {record.get('size')} bytes, at {record['location']}")
    if record.get("preview"):
        write_value(record["preview"])


def _copy(job: Body, record: Mapping[str, Any], folder: Path, options: Mapping[str, Any]) -> None:
    if not record.get("location"):
        raise click.UsageError("the result is in the job's status, not in a store: leave out --to")
    from daskjob.client.stored_results import StoredCopy

    size = StoredCopy(job, options).copy(folder)
    tell(f"{folder}: {record.get('type')} in {record.get('format')}, {size} bytes")


@click.command()
@NAME
@cluster
@click.option("-o", "--output", type=click.Choice(OUTPUTS), default="table", show_default=True)
def events(target: Target, name: str, output: str) -> None:
    """Show what Kubernetes and the operator have noted about a job and its pods, the oldest first."""
    from daskjob.client.job_client import event_time

    client = connect(target)
    found = client.events(client.get(name))
    if output not in ("table", "wide"):
        show(found, (), output)
        return
    if not found:
        tell(f"no events about {name}: Kubernetes keeps them for an hour", err=True)
        return
    now = datetime.now(UTC)
    wide = output == "wide"
    table = [["LAST", *(["COUNT"] if wide else []), "TYPE", "REASON", "OBJECT", "MESSAGE"]]
    for each in found:
        about = each.get("involvedObject") or {}
        subject = f"{about.get('kind', '')}/{about.get('name', '')}".lower()
        words = " ".join(str(each.get("message") or each.get("note") or "").split())
        count = str((each.get("series") or {}).get("count") or each.get("count") or 1)
        last = [duration(event_time(each), now), *([count] if wide else [])]
        table.append([*last, each.get("type") or "", each.get("reason") or "", subject, words])
    for line in lay_out(table)[0]:
        tell(line)


def show(objects: Sequence[Body], columns: Columns, output: str, *, namespaces: bool = False) -> None:
    """Prints objects in one of the forms of `OUTPUTS`. `columns`: of a table."""
    if output in ("json", "yaml"):
        write_content({"apiVersion": "v1", "kind": "List", "items": objects}, output)
    elif output == "name":
        for each in objects:
            group = str(each["apiVersion"]).rpartition("/")[0]
            tell(f"{str(each['kind']).lower()}{group and f'.{group}'}/{each['metadata']['name']}")
    else:
        table = rows(objects, columns, datetime.now(UTC), wide=output == "wide", namespaces=namespaces)
        for line in lay_out(table)[0]:
            tell(line)


def _watch(client: JobClient, namespace: str | None, selector: str | None, phase: tuple[str, ...], output: str) -> None:
    from daskjob.client.watching import Selection

    widths: list[int] = []
    headed = False
    watch = client.watch(Selection(DASK_JOBS, namespace, labels=selector), note=lambda text: tell(text, err=True))
    shown: dict[str, list[str]] = {}
    for batch in watch.batches():
        jobs = [each.object for each in batch if each.type != "DELETED" and _has_phase(each.object, phase)]
        for each in (each.object for each in batch if each.type == "DELETED"):
            if shown.pop(each["metadata"]["uid"], None) is not None:
                tell(f"{each['metadata']['name']} was deleted", err=True)
        table = rows(jobs, JOB_COLUMNS, datetime.now(UTC), wide=output == "wide", namespaces=namespace is None)
        changed: list[list[str]] = []
        names: list[Body] = []
        for job, row in zip(jobs, table[1:], strict=True):
            # The time since the creation is another one each time.
            facts = [cell for heading, cell in zip(table[0], row, strict=True) if heading not in _TIMES]
            if shown.get(job["metadata"]["uid"]) != facts:
                shown[job["metadata"]["uid"]] = facts
                changed.append(row)
                names.append(job)
        if output == "name":
            show(names, JOB_COLUMNS, output)
            continue
        if changed:
            lines, widths = lay_out([table[0], *changed], widths)
            for line in lines[1:] if headed else lines:
                tell(line)
            headed = True


_TIMES = ("AGE", "STARTED", "FINISHED")


def _watch_status(client: JobClient, name: str) -> None:
    from daskjob.cli.exit_codes import code_of_ends

    last = ""

    def report(job: Body) -> None:
        nonlocal last
        if where(job) != last and end_of(job) is None:
            last = where(job)
            tell(f"{datetime.now():%H:%M:%S}  {last}")

    end, job = client.wait([name], on_change=report, note=lambda text: tell(text, err=True))[name]
    if end is End.DELETED:
        tell(f"{name} was deleted", err=True)
    else:
        tell(describe(job, datetime.now(UTC)), nl=False)
    sys.exit(code_of_ends([end]))


def _has_phase(job: Body, phases: Sequence[str]) -> bool:
    return not phases or (status_of(job).get("phase") or "Pending") in phases
