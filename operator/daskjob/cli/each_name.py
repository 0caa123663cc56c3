"""One change of several objects: each is tried, whatever became of those before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from daskjob.cli.cluster_options import connect
from daskjob.cli.exit_codes import code_of
from daskjob.cli.output import tell
from daskjob.client.credentials import Target
from daskjob.client.problems import ClientError, ClusterUnreachable, Unauthorized

if TYPE_CHECKING:
    from daskjob.client.job_client import DryRun, JobClient


def change_each(
    names: Sequence[str], change: Callable[[str], str], dry_run: str | None = None, *, err: bool = False
) -> None:
    """Calls `change` for each name and tells what it says. Errors are told, too; when all were tried, the first one
    ends the program, by its exit code. `err`: tells on stderr, because something else goes to stdout."""
    code = 0
    for name in dict.fromkeys(names):
        try:
            words = change(name)
        except (ClusterUnreachable, Unauthorized):
            # The others would fare no better.
            raise
        except ClientError as error:
            tell(f"{click.get_current_context().find_root().info_name}: {error}", err=True)
            code = code or code_of(error)
        else:
            tell(f"{name}: {words}{' (dry run)' if dry_run else ''}", err=err)
    if code:
        sys.exit(code)


def ask_each(
    target: Target, names: Sequence[str], dry_run: DryRun | None, ask: Callable[[JobClient, str], object], words: str
) -> None:
    """`change_each` for a request to a cluster. `words`: what it comes to, if nobody refuses."""
    client = connect(target, dry_run)

    def change(name: str) -> str:
        ask(client, name)
        return words

    change_each(names, change, dry_run)
