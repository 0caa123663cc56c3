"""`daskjob schema`."""

from __future__ import annotations

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of manifests, by which an editor completes and checks them.

    \b
    daskjob schema > daskjob.schema.json
    # yaml-language-server: $schema=daskjob.schema.json

    The second line, at the top of a manifest, names it to editors with the YAML language server. It refuses unknown
    fields. What depends on several fields at once, only `daskjob validate` finds.
    """
    from daskjob.schema.editor_schema import as_text, editor_schema

    click.echo(as_text(editor_schema()), nl=False)
