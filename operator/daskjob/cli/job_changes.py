"""`daskjob cancel`, `retry`, `suspend`, `resume` and `delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from daskjob.cli.cluster_options import DRY_RUN, NAMES, TIMEOUT, cluster, connect
from daskjob.cli.commands import refuse
from daskjob.cli.each_name import ask_each, change_each
from daskjob.cli.output import tell
from daskjob.client.credentials import Target

if TYPE_CHECKING:
    from daskjob.client.job_client import DryRun


@click.command()
@NAMES
@cluster
@DRY_RUN
def cancel(target: Target, names: tuple[str, ...], dry_run: DryRun | None) -> None:
    """End jobs, with reason Cancelled; what they were stays in their status."""
    ask_each(target, names, dry_run, lambda client, name: client.cancel(name), "is being cancelled")


@click.command()
@NAMES
@cluster
@click.option("--wait", "waits", is_flag=True, help="Wait for the end of the new runs.")
@click.option("--follow", is_flag=True, help="Show what the new run of one job prints, until its end.")
@TIMEOUT
@DRY_RUN
def retry(
    target: Target,
    names: tuple[str, ...],
    waits: bool,
    follow: bool,
    timeout: float | None,
    dry_run: DryRun | None,
) -> None:
    """Run jobs anew that have ended, well or not."""
    waits = waits or follow
    check_waiting(waits, timeout, dry_run)
    if follow and len(set(names)) > 1:
        refuse(f"--follow shows one job, and these are {len(set(names))}: give --wait, or one after the other")
    client = connect(target, dry_run)
    jobs = {}

    def change(name: str) -> str:
        jobs[name] = client.retry(name)
        return "runs anew"

    change_each(names, change, dry_run, err=waits)
    if waits:
        from daskjob.cli.waiting_commands import follow_job, wait_for

        if follow:
            follow_job(client, jobs[names[0]], timeout=timeout)
        uids = {name: str(job["metadata"]["uid"]) for name, job in jobs.items()}
        wait_for(client, list(jobs), None, timeout=timeout, uids=uids)


@click.command()
@NAMES
@cluster
@DRY_RUN
def suspend(target: Target, names: tuple[str, ...], dry_run: DryRun | None) -> None:
    """Stop jobs and remove their clusters, until they are resumed. A graph begins from its start then."""
    ask_each(target, names, dry_run, lambda client, name: client.suspend(name), "is being suspended")


@click.command()
@NAMES
@cluster
@DRY_RUN
def resume(target: Target, names: tuple[str, ...], dry_run: DryRun | None) -> None:
    """Let jobs go on that were suspended."""
    ask_each(target, names, dry_run, lambda client, name: client.suspend(name, on=False), "goes on")


@click.command()
@NAMES
@cluster
@click.option("--wait", "waits", is_flag=True, help="Until they are gone.")
@TIMEOUT
@DRY_RUN
def delete(target: Target, names: tuple[str, ...], waits: bool, timeout: float | None, dry_run: DryRun | None) -> None:
    """Delete jobs, with their results and all that they consist of."""
    check_waiting(waits, timeout, dry_run)
    client = connect(target, dry_run)
    uids = {}

    def change(name: str) -> str:
        uid = str(client.get(name)["metadata"]["uid"])
        client.delete(name, uid=uid)
        uids[name] = uid
        return "is being deleted" if waits else "deleted"

    change_each(names, change, dry_run, err=waits)
    for name, uid in uids.items() if waits else ():
        client.wait_gone(name, uid, timeout=timeout)
        tell(f"{name}: deleted")


def check_waiting(waits: bool, timeout: float | None, dry_run: str | None) -> None:
    """Ends the program if these options do not fit together."""
    if timeout is not None and not waits:
        refuse("--timeout is for --wait and --follow")
    if waits and dry_run is not None:
        refuse("with --dry-run there is nothing to wait for")
