"""Writes the tables of commands and exit codes into docs/command-line.md; with `--check`, only says whether they are
stale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from daskjob.cli.commands import daskjob
from daskjob.cli.exit_codes import MEANINGS

PAGE = Path(__file__).resolve().parent / "command-line.md"
BEGIN = "<!-- commands: made by docs/generate_commands.py -->\n"
END = "<!-- end -->\n"


def render() -> str:
    """The page as it is to be."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    lines = ["", "| Command | What it does |", "|---|---|", *_commands(daskjob, "daskjob", click.Context(daskjob)), ""]
    lines += ["| Exit code | Meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    return before + BEGIN + "\n".join(lines) + "\n\n" + after


def _commands(group: click.Group, title: str, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{title} {name}", context)
            continue
        arguments = [
            each.metavar or str(each.name).upper() for each in command.params if isinstance(each, click.Argument)
        ]
        options = [each.opts[-1] for each in command.params if isinstance(each, click.Option)]
        own = [each for each in options if each not in ("--namespace", "--context", "--kubeconfig")]
        usage = " ".join([title, name, *arguments])
        more = f" Options: {', '.join(f'`{each}`' for each in own)}." if own else ""
        yield f"| `{usage}` | {command.get_short_help_str(200)}{more} |"


if __name__ == "__main__":
    from keep_current import keep_current

    sys.exit(keep_current({PAGE: render()}))
