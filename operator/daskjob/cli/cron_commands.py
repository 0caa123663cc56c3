"""`daskjob cron`: DaskCronJobs of a cluster."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import click

from daskjob.api import constants as c
from daskjob.cli.cluster_options import CRON_NAME, OUTPUTS, cluster, connect
from daskjob.cli.cluster_views import show
from daskjob.cli.columns import CRON_COLUMNS
from daskjob.cli.output import tell
from daskjob.client.credentials import Target
from daskjob.client.endpoints import CRON_JOBS


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
    found = client.list_objects(all_namespaces=all_namespaces, labels=selector, endpoint=CRON_JOBS)
    if not found and output in ("table", "wide"):
        tell(
            f"no DaskCronJobs {'in any namespace' if all_namespaces else f'in namespace {client.namespace}'}", err=True
        )
        return
    show(found, CRON_COLUMNS, output, namespaces=all_namespaces)


@cron.command("run-now")
@CRON_NAME
@cluster
def run_now(target: Target, name: str) -> None:
    """Create one job of a cron job at once."""
    text = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(3)}"
    changes = {"metadata": {"annotations": {c.RUN_NOW_ANNOTATION: text}}}
    connect(target).patch(name, changes, endpoint=CRON_JOBS)
    tell(f"{name}: a job is created; daskjob list -l {c.CRON_JOB_LABEL}={name} shows it")


@cron.command("suspend")
@CRON_NAME
@cluster
def suspend_cron(target: Target, name: str) -> None:
    """Create no more jobs until it is resumed; those that exist go on."""
    connect(target).patch(name, {"spec": {"suspend": True}}, endpoint=CRON_JOBS)
    tell(f"{name}: creates no more jobs")


@cron.command("resume")
@CRON_NAME
@cluster
def resume_cron(target: Target, name: str) -> None:
    """Create jobs again when they are due."""
    connect(target).patch(name, {"spec": {"suspend": False}}, endpoint=CRON_JOBS)
    tell(f"{name}: creates jobs again")
