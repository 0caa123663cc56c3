"""The command `daskjob`, also as `kubectl daskjob`: jobs on a cluster, and on this machine without Kubernetes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def main() -> None:
    """The entry point of the command. Without what its extra brings it says how to install that, and exits with 2."""
    _command()(prog_name="daskjob")


def kubectl_main() -> None:
    """The entry point `kubectl-daskjob`, which kubectl runs as `kubectl daskjob`."""
    _command()(prog_name="kubectl daskjob")


def kubectl_complete() -> None:
    """The entry point `kubectl_complete-daskjob`: kubectl asks it what may follow the words that it gives, the last of
    which is not complete. It prints a line each, and a directive: 4 is "complete no file names"."""
    command = _command()
    from daskjob.cli.completing import candidates

    print(*candidates(command, sys.argv[1:]), ":4", sep="\n")


def _command() -> click.Group:
    try:
        # Only here, so that importing this package costs nothing.
        from daskjob.cli.commands import daskjob
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich", "yaml"):
            raise
        print(
            "daskjob: the command line needs more: pip install 'daskjob[cli]', or [local] to run jobs", file=sys.stderr
        )
        sys.exit(2)
    return daskjob
