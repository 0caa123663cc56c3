"""`daskjob completion` and `version`, and what kubectl asks for names of its plugin."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import click
from click.shell_completion import ShellComplete, get_completion_class

import daskjob

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion of this command for a shell: names of jobs come from the cluster.

    \b
    bash: eval "$(daskjob completion bash)"      in ~/.bashrc
    zsh:  eval "$(daskjob completion zsh)"       in ~/.zshrc
    fish: daskjob completion fish > ~/.config/fish/completions/daskjob.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    # `kubectl daskjob` has a completion of its own, which kubectl calls.
    complete = kind(context.find_root().command, {}, "daskjob", "_DASKJOB_COMPLETE")
    click.echo(complete.source_template % complete.source_vars())


@click.command()
def version() -> None:
    """Show the version of this command."""
    click.echo(f"daskjob {daskjob.__version__} (Python {platform.python_version()})")


def candidates(command: click.Command, words: Sequence[str]) -> list[str]:
    """What may stand where the last of these words stands."""
    complete = ShellComplete(command, {}, "daskjob", "_DASKJOB_COMPLETE")
    return [each.value for each in complete.get_completions(list(words[:-1]), words[-1] if words else "")]
