"""`daskjob cancel`, `retry`, `suspend`, `resume` and `delete`."""

from __future__ import annotations

import click

from daskjob.cli.cluster_options import NAME, NAMES, TIMEOUT, cluster, connect
from daskjob.cli.output import tell
from daskjob.client.credentials import Target


@click.command()
@NAMES
@cluster
def cancel(target: Target, names: tuple[str, ...]) -> None:
    """End jobs, with reason Cancelled; what they were stays in their status."""
    client = connect(target)
    for name in names:
        client.cancel(name)
        tell(f"{name}: is being cancelled")


@click.command()
@NAME
@cluster
@click.option("--wait", "waits", is_flag=True, help="Wait for the end of the new run.")
@click.option("--follow", is_flag=True, help="Show what the new run prints, until its end.")
@TIMEOUT
def retry(target: Target, name: str, waits: bool, follow: bool, timeout: float | None) -> None:
    """Run a job anew that has ended, well or not."""
    client = connect(target)
    job = client.retry(name)
    tell(f"{name}: runs anew", err=waits or follow)
    if waits or follow:
        from daskjob.cli.waiting_commands import follow_job, wait_for

        if follow:
            follow_job(client, job, timeout=timeout)
        wait_for(client, [name], None, timeout=timeout, uids={name: job["metadata"]["uid"]})


@click.command()
@NAMES
@cluster
def suspend(target: Target, names: tuple[str, ...]) -> None:
    """Stop jobs and remove their clusters, until they are resumed. A graph begins from its start then."""
    client = connect(target)
    for name in names:
        client.suspend(name)
        tell(f"{name}: is being suspended")


@click.command()
@NAMES
@cluster
def resume(target: Target, names: tuple[str, ...]) -> None:
    """Let jobs go on that were suspended."""
    client = connect(target)
    for name in names:
        client.suspend(name, on=False)
        tell(f"{name}: goes on")


@click.command()
@NAMES
@cluster
@click.option("--wait", "waits", is_flag=True, help="Until they are gone.")
@TIMEOUT
def delete(target: Target, names: tuple[str, ...], waits: bool, timeout: float | None) -> None:
    """Delete jobs, with their results and all that they consist of."""
    client = connect(target)
    uids = {}
    for name in names:
        job = client.get(name)
        uids[name] = str(job["metadata"]["uid"])
        client.delete(name, uid=uids[name])
        if not waits:
            tell(f"{name}: deleted")
    for name, uid in uids.items() if waits else ():
        client.wait_gone(name, uid, timeout=timeout)
        tell(f"{name}: deleted")
