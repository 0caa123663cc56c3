"""`daskjob cron`: DaskCronJobs of a cluster."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from daskjob.api import constants as c
from daskjob.api.resource import DASK_CRON_JOBS
from daskjob.cli.cluster_options import CRON_NAMES, DRY_RUN, OUTPUTS, cluster, connect
from daskjob.cli.cluster_views import show
from daskjob.cli.columns import CRON_COLUMNS
from daskjob.cli.each_name import ask_each, change_each
from daskjob.cli.output import tell
from daskjob.client.credentials import Target

if TYPE_CHECKING:
    from daskjob.client.job_client import DryRun


@click.group()
def cron() -> None:
    """See and change cron jobs."""


@cron.command("list")
@cluster
@click.option("-A", "--all-namespaces", is_flag=True, help="Those of all namespaces.")
@click.option("-l", "--selector", metavar="LABELS", help="As team=a,stage!=test.")
@click.option("-o", "--output", type=click.Choice(OUTPUTS), default="table", show_default=True)
def list_cron_jobs(target: Target, all_namespaces: bool, selector: str | None, output: str) -> None:
    """Show the cron jobs."""
    client = connect(target)
    found = client.list_objects(all_namespaces=all_namespaces, labels=selector, endpoint=DASK_CRON_JOBS)
    if not found and output in ("table", "wide"):
        tell(
            f"no DaskCronJobs {'in any namespace' if all_namespaces else f'in namespace {client.namespace}'}", err=True
        )
        return
    show(found, CRON_COLUMNS, output, namespaces=all_namespaces)


@cron.command("run-now")
@CRON_NAMES
@cluster
@DRY_RUN
def run_now(target: Target, names: tuple[str, ...], dry_run: DryRun | None) -> None:
    """Create one job of each cron job at once."""
    client = connect(target, dry_run)

    def change(name: str) -> str:
        text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"
        client.patch(name, {"metadata": {"annotations": {c.RUN_NOW_ANNOTATION: text}}}, endpoint=DASK_CRON_JOBS)
        return f"a job is created; daskjob list -l {c.CRON_JOB_LABEL}={name} shows it"

    change_each(names, change, dry_run)


@cron.command("suspend")
@CRON_NAMES
@cluster
@DRY_RUN
def suspend_cron(target: Target, names: tuple[str, ...], dry_run: DryRun | None) -> None:
    """Create no more jobs until it is resumed; those that exist go on."""
    _suspend(target, names, dry_run, True, "creates no more jobs")


@cron.command("resume")
@CRON_NAMES
@cluster
@DRY_RUN
def resume_cron(target: Target, names: tuple[str, ...], dry_run: DryRun | None) -> None:
    """Create jobs again when they are due."""
    _suspend(target, names, dry_run, False, "creates jobs again")


def _suspend(target: Target, names: tuple[str, ...], dry_run: DryRun | None, on: bool, words: str) -> None:
    changes = {"spec": {"suspend": on}}
    ask_each(target, names, dry_run, lambda client, name: client.patch(name, changes, endpoint=DASK_CRON_JOBS), words)
