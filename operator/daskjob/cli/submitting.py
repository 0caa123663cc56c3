"""`daskjob submit`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from daskjob.cli.cluster_options import DRY_RUN, TIMEOUT, cluster, connect
from daskjob.cli.commands import PATHS, RECURSIVE, check, load, refuse
from daskjob.cli.job_changes import check_waiting
from daskjob.cli.output import tell, write_content
from daskjob.cli.script_manifest import ScriptOptions
from daskjob.client.credentials import Target
from daskjob.client.problems import ClientError, InvalidJob

if TYPE_CHECKING:
    from daskjob.cli.documents import Document
    from daskjob.client.job_client import DryRun

Body = dict[str, Any]


@click.command()
@PATHS
@RECURSIVE
@cluster
@click.option("--wait", "waits", is_flag=True, help="Wait for the end; the exit code says how the jobs ended.")
@click.option("--follow", is_flag=True, help="Show what the job prints until its end; then as --wait.")
@TIMEOUT
@DRY_RUN
@click.option("--name", help="Of the job of a script; by default one that begins as the script does.")
@click.option("--image", help="Of the job of a script; by default the installation's.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Of the job of a script; by default 1.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Of each worker of a script; by default 1.")
@click.option("--memory", metavar="QUANTITY", help="Limit of each worker of a script, as 2Gi.")
@click.option("--kwarg", "keywords", metavar="NAME=VALUE", multiple=True, help="For a script's graph; repeatable.")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="A variable of a script's pods; repeatable.")
@click.option(
    "--env-from",
    metavar="KIND/NAME",
    multiple=True,
    help="A Secret or ConfigMap whose keys are such variables, as secret/database or configmap/settings; repeatable.",
)
@click.option(
    "--pip", metavar="REQUIREMENT", multiple=True, help="A package that pip installs in a script's pods; repeatable."
)
@click.option(
    "--working-dir",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Take all of its files along, data files too; by default, what a script imports.",
)
@click.option("-o", "--output", type=click.Choice(["json", "yaml", "name"]), help="Print what was created.")
def submit(
    target: Target,
    paths: tuple[str, ...],
    recursive: bool,
    waits: bool,
    follow: bool,
    timeout: float | None,
    dry_run: DryRun | None,
    output: str | None,
    **script: Any,
) -> None:
    """Create the DaskJobs and DaskCronJobs of manifests, or the DaskJob of a script.

    PATH is a file, a folder or - for standard input. Objects of other kinds are not created, and named.

    \b
    daskjob submit my.py:graph --image my-registry/dask:2026.8.0 --workers 4 -- 500 '["a", "b"]'

    Of a script (my.py:graph) or module (package.module:graph), the job gets the file and what it imports from beside
    it, or all files of --working-dir. What follows are arguments: JSON, or else text. With --dry-run -o yaml the
    manifest is printed.
    """
    jobs, others = load(paths, recursive, ScriptOptions(**script))
    # The API server checks one job quicker than we import what that takes here. Of several, none is created unless all
    # are valid.
    check(jobs, None, err=True, server_checks=len(jobs) == 1 and dry_run != "client")
    waits = waits or follow
    _check_options(jobs, target, waits, follow, dry_run, timeout)
    for other in others:
        tell(f"{other.title}: a {other.kind} is not created: kubectl apply -f {other.file}", err=True)
    if dry_run == "client":
        _print([job.content for job in jobs], output, "is valid; nothing was created (dry run)")
        return
    client = connect(target, dry_run)
    created: list[Body] = []
    for job in jobs:
        try:
            created.append(client.create(job.content))
        except ClientError as error:
            _print(created, output, _created(dry_run))
            if isinstance(error, InvalidJob):
                # Our words say what to do. The server's are for what only it knows.
                check([job], None, err=True)
            raise
    _print(created, output, _created(dry_run))
    if not waits or dry_run is not None:
        return
    # Only here: they take a moment to import.
    from daskjob.cli.waiting_commands import follow_job, wait_for

    sys.stdout.flush()
    if follow:
        follow_job(client, created[0], timeout=timeout)
    by_name = {str(each["metadata"]["name"]): str(each["metadata"]["uid"]) for each in created}
    wait_for(client, list(by_name), created[0]["metadata"]["namespace"], timeout=timeout, uids=by_name)


def _check_options(
    jobs: Sequence[Document], target: Target, waits: bool, follow: bool, dry_run: str | None, timeout: float | None
) -> None:
    namespaces = set()
    for job in jobs:
        own = job.content["metadata"].get("namespace")
        if own and target.namespace and own != target.namespace:
            refuse(f"{job.title}: metadata.namespace is {own}, and -n {target.namespace}: leave one of them out")
        namespaces.add(own)
    check_waiting(waits, timeout, dry_run)
    if not waits:
        return
    cron = next((job for job in jobs if job.kind == "DaskCronJob"), None)
    if cron is not None:
        refuse(f"{cron.title}: a DaskCronJob does not end: submit it without --wait and --follow")
    if follow and len(jobs) > 1:
        refuse(f"--follow shows one job, and these are {len(jobs)}: submit them with --wait, or one after the other")
    if len(namespaces) > 1:
        refuse("--wait waits in one namespace: submit the jobs of each by themselves")


def _created(dry_run: str | None) -> str:
    return "would be created (dry run)" if dry_run else "created"


def _print(objects: Sequence[Any], output: str | None, words: str) -> None:
    if not objects:
        return
    if output in ("json", "yaml"):
        content = objects[0] if len(objects) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        write_content(content, output)
        return
    for each in objects:
        kind, metadata = str(each["kind"]).lower(), each["metadata"]
        name = f"{kind}.daskjob.io/{metadata.get('name') or metadata.get('generateName')}"
        tell(name if output == "name" else f"{name} {words}")
