"""`daskjob doctor`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

import click

from daskjob.cli.cluster_options import cluster, connect, seconds
from daskjob.cli.exit_codes import SUCCEEDED, UNREACHABLE
from daskjob.cli.output import tell
from daskjob.cli.states import where
from daskjob.client.credentials import Target


@click.command()
@cluster
@click.option("--operator-namespace", metavar="NAME", default="daskjob-system", show_default=True)
@click.option("--try", "tries", is_flag=True, help="Run a small job, and delete it: whether its image can be pulled.")
@click.option("--image", metavar="IMAGE", help="Of that job; by default the installation's. Means --try.")
@click.option("--timeout", metavar="TIME", callback=seconds, default="3m", show_default=True, help="Of that job.")
def doctor(target: Target, operator_namespace: str, tries: bool, image: str | None, timeout: float) -> None:
    """Check whether the cluster is ready for your jobs, and say what to do where it is not.

    Each line begins with ok, with ? where you may not look or only a job can tell, or with wrong. It changes nothing,
    unless --try is given. Exit code: 0 nothing is wrong, 3 something is.
    """
    from daskjob.client.checkup import Verdict, check_cluster, try_job
    from daskjob.schema.crds import schema_of
    from daskjob.schema.properties import schema_paths

    def fields(schema: Mapping[str, Any] | None) -> Collection[str]:
        return schema_paths(schema_of("DaskJob")["properties"]["spec"] if schema is None else schema)

    client = connect(target)
    wrong = False
    for finding in check_cluster(client, fields, operator_namespace):
        tell(f"{finding.verdict.value:<5}  {finding.subject}: {finding.words}")
        wrong |= finding.verdict is Verdict.WRONG
    if (tries or image) and not wrong:
        found = try_job(client, image, timeout, where, lambda words: tell(f"       {words}", err=True))
        tell(f"{found.verdict.value:<5}  {found.subject}: {found.words}")
        wrong = found.verdict is Verdict.WRONG
    elif tries or image:
        tell("?      a job: not tried before the rest is right")
    sys.exit(UNREACHABLE if wrong else SUCCEEDED)
