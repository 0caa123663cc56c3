"""The command `daskjob`: runs and checks DaskJob manifests without Kubernetes."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the command. Without what its extra brings it says how to install that, and exits with 2."""
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
    daskjob(prog_name="daskjob")
