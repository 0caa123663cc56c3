"""`daskjob dashboard`, the one command that forwards a port."""

from __future__ import annotations

import sys

import click

from daskjob.cli.cluster_options import NAME, cluster, connect
from daskjob.cli.exit_codes import INTERRUPTED, code_of_ends
from daskjob.cli.output import tell
from daskjob.cli.states import ending, where
from daskjob.client.credentials import Target
from daskjob.client.job_end import End, end_of
from daskjob.client.problems import WrongState


@click.command()
@NAME
@cluster
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of this machine; by default one that is free.")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser, too.")
def dashboard(target: Target, name: str, port: int, opens: bool) -> None:
    """Show Dask's dashboard of a job on a port of this machine, until the job's end or Ctrl-C.

    The URL is printed as soon as the dashboard answers, and stays over retries. The way leads through the API server,
    which takes the right to create pods/portforward. The exit code says how the job ended.
    """
    from daskjob.client.dashboard import Dashboard, has_dashboard, scheduler_of

    client = connect(target)
    job = client.get(name)
    if not has_dashboard(job):
        raise WrongState(f"{name} has no dashboard: its spec.cluster.dashboard is false")
    if end_of(job) is not None and scheduler_of(job) is None:
        raise WrongState(f"{name} has no cluster any more: it {where(job)}")

    def ready(url: str) -> None:
        # The first line is for programs.
        click.echo(url)
        sys.stdout.flush()
        if opens:
            import webbrowser

            webbrowser.open(url)

    try:
        shown = Dashboard(client, job, port, ready, lambda text: tell(f"daskjob: {text}", err=True))
    except OSError as error:
        raise click.BadParameter(f"port {port} cannot be used here: {error.strerror}; leave it out") from None
    if scheduler_of(job) is None:
        tell(f"{name} has no scheduler yet: it is {where(job)}; waiting", err=True)
    try:
        end, last = shown.serve()
    except KeyboardInterrupt:
        tell(f"\n{name} goes on", err=True)
        sys.exit(INTERRUPTED)
    tell(f"{name} was deleted" if end is End.DELETED else ending(name, end, last), err=True)
    sys.exit(code_of_ends([end]))
