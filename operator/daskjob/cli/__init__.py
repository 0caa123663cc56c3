"""The command `daskjob`: runs and checks DaskJob manifests without Kubernetes."""

from __future__ import annotations


def main() -> None:
    """The entry point of the command."""
    # Only here, so that importing this package costs nothing.
    from daskjob.cli.commands import daskjob

    daskjob(prog_name="daskjob")
