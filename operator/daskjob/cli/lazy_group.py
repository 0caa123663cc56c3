"""Commands that are imported when they are called, and what an error of one of them ends with."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from daskjob.cli.exit_codes import INTERRUPTED, OUTPUT_CLOSED, TIMED_OUT, UNREACHABLE, code_of
from daskjob.cli.output import tell
from daskjob.client.problems import ClientError


class LazyGroup(click.Group):
    """`later`: of each command that is not imported yet, its module and its name there."""

    def __init__(self, *arguments: Any, later: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._later = dict(later or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._later})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._later:
            module, _, name = self._later[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called. A name that there is not is told with those that are similar."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = difflib.get_close_matches(args[0], self.list_commands(ctx))
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {' or '.join(close)}?", ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Calls the command. An error of the client is told in its own words, and ends the program by its code."""
        try:
            return super().invoke(ctx)
        except ClientError as error:
            tell(f"{_root(ctx)}: {error}", err=True)
            sys.exit(code_of(error))
        except TimeoutError as error:
            tell(f"{_root(ctx)}: {error}", err=True)
            sys.exit(TIMED_OUT)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Nothing is left to be flushed into it at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(OUTPUT_CLOSED)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "kubernetes":
                raise
            tell(f"{_root(ctx)}: {error}", err=True)
            sys.exit(UNREACHABLE)


def _root(ctx: click.Context) -> str:
    return ctx.find_root().info_name or "daskjob"
