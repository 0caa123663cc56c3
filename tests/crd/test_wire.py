"""The wire format and crds/daskjobreports.yaml hold each other: no field, word or limit stands in one of them only.

The definition is what a runner can write at all; `wire` is what the operator reads of it. The first must take all that
the runner sends, or the API server refuses the report; the second must know all that the first has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from daskjob import wire
from daskjob.results.codec import RESULT_BYTES
from daskjob.schema import load_crds
from daskjob.wire import report

(VERSION,) = load_crds()["DaskJobReport"]["spec"]["versions"]
STATUS: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]["properties"]["status"]

#: Limits in which `wire` is stricter than the definition: the operator copies such texts to the job's status, and reads
#: the same from a termination message of 3 KiB. A later runner may use the room.
STRICTER = {
    "progress.prefixes.[].name": 256,
    "result.type": report.NAME_BYTES,
    "result.location": report.LOCATION_BYTES,
    "failure.reason": max(map(len, wire.REASONS)),
    "failure.exceptionType": report.NAME_BYTES,
    "failure.message": report.MESSAGE_BYTES,
    "failure.traceback": report.TRACEBACK_BYTES,
    "failure.taskKey": report.NAME_BYTES,
    "waiting.[].message": report.MESSAGE_BYTES,
    "result.types.*": 128,
    "saved.location": report.LOCATION_BYTES,
    "saved.reason": max(map(len, report.SAVE_REASONS)),
    "saved.message": report.MESSAGE_BYTES,
}
#: Texts that are read whole or not at all, with one that is right.
EXACT = {
    "workers.groups.[].name": "gpu",
    "result.value": "[1]",
    "result.location": "s3://bucket/folder",
    "result.preview": "[1]",
    "result.sha256": "080a9ed428559ef602668b4c00f114f1a11c3f6b02a435f0bdc154578e4d7f22",
    "result.types.*": "tuple",
    "result.python": "3.13.2",
    "failure.reason": "TaskFailed",
    "saved.location": "s3://bucket/folder/report",
    "saved.reason": "ReportLost",
    "failure.exceptionArgs": '["text", 1]',
    "workers.retired.[]": "job-11111-1-worker-a1",
}


def leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and schema of everything that has no parts of its own."""
    if "properties" in schema:
        for name, each in schema["properties"].items():
            yield from leaves(each, f"{path}.{name}".lstrip("."))
    elif schema.get("type") == "array":
        yield from leaves(schema["items"], f"{path}.[]")
    elif "additionalProperties" in schema:
        yield from leaves(schema["additionalProperties"], f"{path}.*")
    else:
        yield path, schema


LEAVES = dict(leaves(STATUS))
TEXTS = [path for path, schema in LEAVES.items() if schema["type"] == "string" and "maxLength" in schema]
NUMBERS = [path for path, schema in LEAVES.items() if schema["type"] == "integer"]
LISTS = {"progress.prefixes": 50, "workers.retired": 1000, "waiting": report.MAX_WAITS}


def good(schema: Mapping[str, Any], path: str = "") -> Any:
    """A value with every field that the definition has."""
    if "properties" in schema:
        return {name: good(each, f"{path}.{name}".lstrip(".")) for name, each in schema["properties"].items()}
    if schema["type"] == "array":
        return [good(schema["items"], f"{path}.[]")]
    if "additionalProperties" in schema:
        return {"/0": good(schema["additionalProperties"], f"{path}.*")}
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "integer":
        return 3
    return EXACT.get(path, "2026-01-02T03:04:05.000006Z" if schema.get("format") == "date-time" else "text")


def replaced(value: Any, path: str, leaf: Any) -> Any:
    """`value` with another leaf at a path."""
    if not path:
        return leaf
    head, _, rest = path.partition(".")
    if head == "[]":
        return [replaced(value[0], rest, leaf)]
    name = "/0" if head == "*" else head
    return {**value, name: replaced(value[name], rest, leaf)}


def at(value: Any, path: str) -> Any:
    """What stands at a path; None if something on the way is absent."""
    for step in path.split("."):
        if value in (None, [], {}):
            return None
        value = value[0] if step == "[]" else value.get("/0" if step == "*" else step)
    return value


class Spy(dict[str, Any]):
    """An object that has every field that it is asked for, and remembers which these were."""

    def __init__(self, schema: Mapping[str, Any], path: str, asked: dict[str, set[str]]) -> None:
        super().__init__()
        self.schema, self.path = schema.get("properties", {}), path
        self.names = asked.setdefault(path, set())
        self.asked = asked

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return True

    def get(self, name: str, default: Any = None) -> Any:
        schema = self.schema.get(name, {})
        path = f"{self.path}.{name}".lstrip(".")
        if schema.get("type") == "array" and "properties" in schema["items"]:
            return [Spy(schema["items"], f"{path}.[]", self.asked)]
        return Spy(schema, path, self.asked) if "properties" in schema else good(schema, path) if schema else None


def objects(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Path and field names of every object."""
    if "properties" in schema:
        yield path, set(schema["properties"])
        for name, each in schema["properties"].items():
            yield from objects(each, f"{path}.{name}".lstrip("."))
    elif schema.get("type") == "array":
        yield from objects(schema["items"], f"{path}.[]")


def test_the_fields_are_the_same() -> None:
    """Those that `wire` asks a report for, and those of the definition."""
    asked: dict[str, set[str]] = {}
    wire.parse_report(Spy(STATUS, "", asked))
    assert asked == dict(objects(STATUS))


def test_every_field_is_read() -> None:
    status = good(STATUS)
    assert wire.parse_report(status) == status


def test_stages_and_outcomes() -> None:
    assert list(wire.Stage) == LEAVES["stage"]["enum"]
    assert LEAVES["outcome"]["enum"] == [wire.SUCCEEDED, wire.FAILED]


def test_the_protocol() -> None:
    assert LEAVES["protocol"]["description"].endswith(f"now {wire.PROTOCOL}.")
    assert json.loads(wire.termination_message(wire.SUCCEEDED))["protocol"] == wire.PROTOCOL


@pytest.mark.parametrize("path", TEXTS)
def test_a_text_is_at_most_as_long_as_the_definition_allows(path: str) -> None:
    largest = LEAVES[path]["maxLength"]
    limit = STRICTER.get(path, largest)
    assert limit <= largest
    for text in ("x" * limit, "x" * (limit + 1), "x" * (2 * largest), "é" * largest):
        read = at(wire.parse_report(replaced(good(STATUS), path, text)), path)
        assert read is None or len(read) <= limit, text[:10]
    if path not in EXACT:
        read = at(wire.parse_report(replaced(good(STATUS), path, "x" * (limit + 1))), path)
        assert (len(read.encode()), read[:1] + read[-1:]) in [(limit, "x…"), (limit, "…x")]


def test_the_stricter_limits_are_those_that_are_not_the_definitions() -> None:
    assert {path for path, limit in STRICTER.items() if limit >= LEAVES[path]["maxLength"]} == {
        "progress.prefixes.[].name"
    }


@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_is_clamped_to_what_the_definition_allows(path: str) -> None:
    schema = LEAVES[path]
    bits = 31 if schema["format"] == "int32" else 63
    lowest, highest = schema.get("minimum", -(2**bits)), schema.get("maximum", 2**bits - 1)
    for number in (-(10**30), 10**30, float("inf"), float("-inf")):
        status = replaced(good(STATUS), path, number)
        if path == "result.size":
            # With a value, the size is counted anew.
            del status["result"]["value"]
        assert lowest <= at(wire.parse_report(status), path) <= highest


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_cut_to_what_the_definition_allows(path: str) -> None:
    schema: dict[str, Any] = STATUS
    for name in path.split("."):
        schema = schema["properties"][name]
    assert schema["maxItems"] == LISTS[path]
    item = good(schema["items"], f"{path}.[]")
    status = replaced(good(STATUS), path, [item] * (2 * LISTS[path]))
    assert len(at(wire.parse_report(status), path)) == LISTS[path]


def test_the_types_of_a_result_are_as_many_as_the_definition_allows() -> None:
    limit = STATUS["properties"]["result"]["properties"]["types"]["maxProperties"]
    many = {f"/{number}": "t" for number in range(2 * limit)}
    assert len(at(wire.parse_report(replaced(good(STATUS), "result.types", many)), "result.types")) <= limit


def test_a_value_as_large_as_a_job_may_ask_for_is_taken() -> None:
    largest = LEAVES["result.value"]["maxLength"]
    assert largest == RESULT_BYTES
    text = json.dumps("x" * (largest - 2))
    assert at(wire.parse_report(replaced(good(STATUS), "result.value", text)), "result.value") == text


def test_reasons() -> None:
    schema = LEAVES["failure.reason"]
    assert all(schema["minLength"] <= len(reason) <= schema["maxLength"] for reason in wire.REASONS)
    named = re.findall(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+", schema["description"])
    assert named
    assert set(named) <= set(wire.REASONS)
