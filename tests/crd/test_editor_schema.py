"""The JSON Schema of editors: the examples fit, misspelt fields do not, and each example names it."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from daskjob.schema import apply_defaults
from daskjob.schema.editor_schema import as_text, editor_schema

from .cases import ACCEPTED

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "schemas" / "daskjob.schema.json"
EXAMPLES = sorted((ROOT / "jobs").glob("*/job.yaml"))
COMMENT = re.compile(r"\A# yaml-language-server: \$schema=(\S+)\n")
JOB: dict[str, Any] = {
    "apiVersion": "daskjob.io/v1alpha1",
    "kind": "DaskJob",
    "metadata": {"name": "one"},
    "spec": {"graph": {"entrypoint": "a:b"}},
}
CHECK = Draft7Validator(editor_schema())

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)


def test_it_is_a_json_schema_and_the_kept_one_is_current() -> None:
    Draft7Validator.check_schema(editor_schema())
    # Editors that take it for a newer dialect read the same.
    Draft202012Validator.check_schema({**editor_schema(), "$schema": Draft202012Validator.META_SCHEMA["$schema"]})
    assert KEPT.read_text() == as_text(editor_schema()), "run docs/generate_schemas.py"


def test_it_leads_nowhere_else() -> None:
    """Each reference is to a definition in it: an editor asks no server."""
    named = set(re.findall(r'"\$ref": "([^"]+)"', as_text(editor_schema())))
    assert named <= {f"#/definitions/{name}" for name in editor_schema()["definitions"]}


@each_example
def test_the_examples_name_it_and_fit(path: Path) -> None:
    found = COMMENT.match(path.read_text())
    assert found, f"begin {path} with: # yaml-language-server: $schema=../../docs/schemas/daskjob.schema.json"
    assert (path.parent / found[1]).resolve() == KEPT
    for document in yaml.safe_load_all(path.read_text()):
        assert [each.message for each in CHECK.iter_errors(document)] == []


@each_example
def test_an_example_with_a_misspelt_field_does_not_fit(path: Path) -> None:
    """Each field of the spec that is no key of a user's own, one after the other."""
    for document in yaml.safe_load_all(path.read_text()):
        if document["apiVersion"] != JOB["apiVersion"]:
            continue
        places = list(fields(document["spec"], ("spec",)))
        assert places
        for place in places:
            broken = deepcopy(document)
            owner = broken
            for step in place[:-1]:
                owner = owner[step]
            owner[f"{place[-1]}x"] = owner.pop(place[-1])
            assert not CHECK.is_valid(broken), place


def test_the_readme_names_it() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[:1]
    found = COMMENT.match(block)
    assert found
    assert f"daskjob schema > {found[1]}" in (ROOT / "README.md").read_text()
    assert CHECK.is_valid(yaml.safe_load(block))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "DaskJbo"},
        {"apiVersion": "daskjob.io/v1"},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"name": "one", "lables": {}}},
        {"spec": {"graph": {}}},
        {"spec": {"graph": {"entrypoint": "a b"}}},
        {"spec": {**JOB["spec"], "backoffLimit": "3"}},
        {"spec": {**JOB["spec"], "runner": {"template": {"spec": {"nodeSelectr": {"a": "b"}}}}}},
        {"spec": {**JOB["spec"], "runner": {"template": {"spec": {"containers": [{"image": "x"}]}}}}},
        {"spec": {**JOB["spec"], "runner": {"template": {"spec": {"dnsPolicy": "None!"}}}}},
    ],
)
def test_what_does_not_fit(change: dict[str, Any]) -> None:
    assert CHECK.is_valid(JOB)
    assert not CHECK.is_valid(JOB | change)


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}},
        {**JOB, "status": {"phase": "Running"}},
        {**JOB, "metadata": {"generateName": "one-"}},
        {**JOB, "spec": {**JOB["spec"], "runner": {"template": {"spec": {"nodeSelector": None, "volumes": []}}}}},
    ],
)
def test_what_fits(document: dict[str, Any]) -> None:
    assert [each.message for each in CHECK.iter_errors(document)] == []


#: Fields whose keys are users' own.
USERS_OWN = {
    "args",
    "kwargs",
    "keys",
    "files",
    "labels",
    "nodeSelector",
    "requests",
    "limits",
    "daskResources",
    "options",
}


def fields(value: Any, path: tuple[str | int, ...]) -> Any:
    """The places of fields whose names are the definition's: not those in arguments, files, labels or environments."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from fields(each, (*path, index))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield (*path, name)
            if name not in USERS_OWN:
                yield from fields(each, (*path, name))


#: With a field of a pod that no release of Kubernetes has so far: an editor marks it, the offline check lets it pass.
NEWER = {"template"}


@pytest.mark.parametrize("title", sorted(set(ACCEPTED) - NEWER))
def test_what_the_offline_check_takes_fits(title: str) -> None:
    """As stored: nulls, which mean "not given" to the API server, are for it alone."""
    manifest = apply_defaults(ACCEPTED[title])
    assert [f"{each.json_path}: {each.message}" for each in CHECK.iter_errors(manifest)] == []
