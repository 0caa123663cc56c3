"""Writes docs/fields.md from the definitions in crds/ and docs/commands.md from the command line; with `--check`, only
says which of them is stale."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from daskjob.cli.commands import daskjob
from daskjob.schema.crds import load_crds, schema_of

FOLDER = Path(__file__).resolve().parent
KINDS = ("DaskJob", "DaskCronJob")
#: Options that each command for a cluster has.
COMMON = ("namespace", "context", "kubeconfig")
_LENGTHS = (("Length", "characters"), ("Items", "items"), ("Properties", "fields"))

Schema = Mapping[str, Any]


def fields_page() -> str:
    """Every field of what people write, and of what the operator reports."""
    lines = [
        "# Fields",
        "",
        "Made by `docs/generate_reference.py` from the definitions in `crds/`, which `kubectl explain` shows, too.",
        "[Writing a job](writing-jobs.md) tells what they are for; `daskjob schema` brings them into an editor.",
        "Under a table stand the rules that its fields keep beside their types.",
        "",
    ]
    known: list[tuple[Schema, str]] = []
    for kind in KINDS:
        (version,) = load_crds()[kind]["spec"]["versions"]
        lines += [f"## {kind}", "", " ".join(str(version["schema"]["openAPIV3Schema"]["description"]).split()), ""]
        for part in ("spec", "status"):
            lines += _object(schema_of(kind)["properties"][part], f"{kind} {part}", known)
    return "\n".join(lines).rstrip() + "\n"


def _object(schema: Schema, path: str, known: list[tuple[Schema, str]]) -> Iterator[str]:
    """The section of an object, and those of the objects in it; each is described once."""
    known.append((schema, path))
    yield from (f"### {path}", "", "| Field | Type | Meaning |", "|---|---|---|")
    inner: list[tuple[str, Schema]] = []
    required = schema.get("required") or ()
    for name, each in schema["properties"].items():
        place = f"{path}.{name}"
        described = next(
            (part for part in (each, each.get("items"), _values(each)) if part and "properties" in part), None
        )
        words = _words(each)
        if described is not None:
            same = next((where for one, where in known if _same(one, described)), None)
            same = same or ("DaskJob spec" if place == "DaskCronJob spec.jobTemplate.spec" else None)
            if same is None:
                inner.append((place + ("[]" if described is each.get("items") else ""), described))
            words += f" Fields: [{same or inner[-1][0]}](#{_anchor(same or inner[-1][0])})."
        marks = " (required)" if name in required else ""
        yield f"| `{name}`{marks} | {_type(each)} | {words} |"
    yield ""
    rules = [" ".join(str(each["message"]).split()) for each in _rules(schema)]
    if rules:
        yield from (f"- {_escaped(each)}" for each in dict.fromkeys(rules))
        yield ""
    for place, each in inner:
        yield from _object(each, place, known)


def _rules(schema: Schema) -> Iterator[Schema]:
    """Those of an object and of its plain fields."""
    yield from schema.get("x-kubernetes-validations", ())
    for each in schema.get("properties", {}).values():
        for part in (each, each.get("items") or {}, _values(each) or {}):
            if "properties" not in part:
                yield from part.get("x-kubernetes-validations", ())


def _values(schema: Schema) -> Schema | None:
    found = schema.get("additionalProperties")
    return found if isinstance(found, Mapping) else None


def _same(one: Schema, other: Schema) -> bool:
    return one["properties"] == other["properties"]


def _type(schema: Schema) -> str:
    kind = "integer or string" if schema.get("x-kubernetes-int-or-string") else str(schema.get("type") or "any JSON")
    if kind == "array":
        kind = f"list of {_type(schema['items'])}" if "type" in schema.get("items", {}) else "list"
    elif kind == "object" and _values(schema) is not None:
        kind = f"map of {_type(_values(schema) or {})}"
    elif kind == "string" and schema.get("format") == "date-time":
        kind = "time"
    if "enum" in schema:
        kind = " or ".join(f"`{each}`" for each in schema["enum"])
    return kind


def _words(schema: Schema) -> str:
    words = [" ".join(str(schema.get("description") or "").split())]
    if words[0] and not words[0].endswith("."):
        words[0] += "."
    if "default" in schema and not isinstance(schema["default"], dict) and "Default" not in words[0]:
        words.append(f"Default `{json.dumps(schema['default'])}`.")
    limits = [f"from {schema['minimum']}"] if "minimum" in schema else []
    limits += [f"to {schema['maximum']}"] if "maximum" in schema else []
    limits += [f"at most {schema[f'max{name}']} {what}" for name, what in _LENGTHS if f"max{name}" in schema]
    if limits and "t most" not in words[0]:
        text = " ".join(limits)
        words.append(f"{text[0].upper()}{text[1:]}.")
    return _escaped(" ".join(words))


def _escaped(text: str) -> str:
    """As Markdown shows it, outside of code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part.replace("|", "\\|") if part.startswith("`") else re.sub(r"([|*<>\[\]_])", r"\\\1", part) for part in parts
    )


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def commands_page() -> str:
    """Every command with its options, as --help shows them."""
    lines = [
        "# Commands",
        "",
        "Made by `docs/generate_reference.py`; `daskjob COMMAND --help` shows the same. [The command",
        "line](command-line.md) tells what they are for. Those that talk to a cluster also have `-n`, `--context` and",
        "`--kubeconfig`.",
        "",
        *_commands(daskjob, "daskjob", click.Context(daskjob, info_name="daskjob")),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: click.Group, title: str, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{title} {name}", inner)
            continue
        yield from (
            f"## {title} {name}",
            "",
            "```text",
            f"{title} {name} {' '.join(command.collect_usage_pieces(inner))}",
            "```",
            "",
        )
        yield from _paragraphs(command.help or "")
        options = [
            record
            for each in command.get_params(inner)
            if isinstance(each, click.Option)
            and each.name not in COMMON
            and "--help" not in each.opts
            and (record := each.get_help_record(inner)) is not None
        ]
        if options:
            yield from ("| Option | Meaning |", "|---|---|")
            yield from (
                f"| `{option.replace('|', chr(92) + '|')}` | {_escaped(' '.join(words.split()))} |"
                for option, words in options
            )
            yield ""


def _paragraphs(text: str) -> Iterator[str]:
    """The help as Markdown: what click leaves as it is, is shown as it is."""
    for each in text.replace("\r", "").split("\n\n"):
        lines = each.strip("\n").split("\n")
        if lines[0].strip() == "\b":
            yield from ("```text", *(line.strip() for line in lines[1:] if line.strip()), "```", "")
        elif each.strip():
            yield from (_escaped(" ".join(each.split())), "")


if __name__ == "__main__":
    from keep_current import keep_current

    sys.exit(keep_current({FOLDER / "fields.md": fields_page(), FOLDER / "commands.md": commands_page()}))
