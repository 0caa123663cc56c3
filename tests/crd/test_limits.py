"""What the operator refuses of a spec although the schema accepts it, and that finding it takes no recursion."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.spec import digest, parse_spec
from daskjob.schema import validate
from daskjob.schema.limits import ARGUMENTS, DEPTH, JOB, OPTIONS, TEMPLATE, no_room_in, problem_in, stored_size

from .cases import a_job

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


def with_args(*args: Any) -> dict[str, Any]:
    return {"graph": {"entrypoint": "m:f", "args": list(args)}}


def with_template(value: Any) -> dict[str, Any]:
    return {"cluster": {"workers": {"template": {"spec": value}}}}


def with_options(**options: Any) -> dict[str, Any]:
    return {"result": {"store": {"url": "s3://a", "options": options}}}


ACCEPTED = {
    "options": with_options(endpoint_url="http://a", token=None, client_kwargs={"verify": False}, email="me@a"),
    "depth": with_args(nested(DEPTH)),
    "size": with_args("x" * (ARGUMENTS - len('{"args":[""]}'))),
    "template": with_template({"a": "x" * (TEMPLATE - len('{"spec":{"a":""}}'))}),
    "a float that Kubernetes writes without exponent": with_args(100000000000000000000),
    "no JSON object": [],
    "parts of other types": {"graph": [], "cluster": {"workers": 1}, "runner": None},
}
REFUSED = {
    "depth of args": (with_args(nested(DEPTH + 1)), "spec.graph.args[0]", "more than 64 lists and objects"),
    "depth that no recursion survives": (with_args(nested(9990)), "spec.graph.args[0]", "more than 64 lists"),
    "depth of kwargs": ({"graph": {"kwargs": {"a": nested(DEPTH + 1)}}}, "spec.graph.kwargs.a", "more than 64 lists"),
    "depth of a template": (with_template({"a": nested(DEPTH)}), "spec.cluster.workers.template.spec.a", "no field"),
    "size of args": (with_args("x" * ARGUMENTS), "spec.graph", "takes 262157 bytes as JSON (args), of at most 262144"),
    "size of args and kwargs": (
        {"graph": {"args": ["x" * (ARGUMENTS // 2)], "kwargs": {"a": "x" * (ARGUMENTS // 2)}}},
        "spec.graph",
        "(args and kwargs)",
    ),
    "size as stored": (with_args("<" * (ARGUMENTS // 5)), "spec.graph", "an object store"),
    "a secret option of a report": (
        {"report": {"store": {"url": "s3://a", "options": {"secret": "x"}}}},
        "spec.report.store.options.secret",
        "is for the Secret of secretRef",
    ),
    "a secret option": (with_options(secret="x"), "spec.result.store.options.secret", "is for the Secret of secretRef"),
    "a secret option, deep": (
        with_options(client_kwargs={"a": [{"aws_secret_access_key": "x"}]}),
        "spec.result.store.options.client_kwargs.a[0].aws_secret_access_key",
        "is for the Secret of secretRef",
    ),
    "a token in a header": (
        with_options(client_kwargs={"headers": {"Proxy-Authorization": "Bearer x"}}),
        "spec.result.store.options.client_kwargs.headers.Proxy-Authorization",
        "is for the Secret of secretRef",
    ),
    "a password in a URL": (
        with_options(config_kwargs={"proxies": {"https": "http://me:p@ss@proxy:3128"}}),
        "spec.result.store.options.config_kwargs.proxies.https",
        "is for the Secret of secretRef",
    ),
    "a signed URL": (with_options(a="https://a/b?se=1&sig=x"), "spec.result.store.options.a", "is for the Secret"),
    "depth of options": (with_options(a=nested(DEPTH)), "spec.result.store.options.a", "no option is so deep"),
    "size of options": (with_options(a="x" * OPTIONS), "spec.result.store.options", "no driver takes so much"),
    "size of a template": (with_template({"a": "x" * TEMPLATE}), "spec.cluster.workers.template", "in a ConfigMap"),
    "size of the runner's template": (
        {"runner": {"template": {"metadata": {"annotations": {"a": "é" * (TEMPLATE // 2)}}}}},
        "spec.runner.template",
        "takes 65573 bytes",
    ),
    "size of all": ({"graph": {"source": {"inline": "x" * JOB}}}, "spec", "put code into the image or a ConfigMap"),
    "not a number": (with_args([float("nan")]), "spec.graph.args[0][0]", "nan is not JSON"),
    "infinite": ({"graph": {"kwargs": {"a": float("-inf")}}}, "spec.graph.kwargs.a", "-inf is not JSON"),
    "half a surrogate pair": (with_args("a\ud800"), "spec.graph.args[0]", "half of a surrogate pair"),
    "half a surrogate pair in a key": (with_args({"\udfff": 1}), r"spec.graph.args[0][\udfff]", "half of a surrogate"),
    "code with half a surrogate pair": (
        {"graph": {"source": {"inline": "# \ud83d"}}},
        "spec.graph.source.inline",
        "half of a surrogate pair",
    ),
}


@pytest.mark.parametrize("spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(spec: Any) -> None:
    assert problem_in(spec) is None


@pytest.mark.parametrize(("spec", "path", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(spec: Any, path: str, words: str) -> None:
    problem = problem_in(spec)
    assert problem is not None
    assert problem.startswith(path)
    assert words in problem
    # It goes into a status, as it is.
    assert len(problem) < 1000
    problem.encode()


LARGE = {
    "list": [[]] * 700_000,
    "object": {str(number): number for number in range(100_000)},
    "numbers": [10**100_000] * 20,
}


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_a_large_value_takes_little_time(value: Any) -> None:
    began = time.process_time()
    assert "more than 524288 bytes" in (problem_in(with_args(value)) or "")
    assert time.process_time() - began < 2


@given(JSON)
def test_size_is_that_of_json_without_blanks(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    assert stored_size(value) == len(text.encode())


def test_metadata_counts_where_the_status_needs_room() -> None:
    half = "x" * (JOB // 2)
    manifest = a_job(
        {"graph": {"source": {"inline": half}}}, annotations={"kubectl.kubernetes.io/last-applied": "short"}
    )
    assert no_room_in(manifest) is None
    manifest["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied"] = half
    assert "kubectl apply --server-side keeps no copy of the spec" in (no_room_in(manifest) or "")


@pytest.mark.parametrize("kind", ["DaskJob", "DaskCronJob"])
@pytest.mark.parametrize("levels", [DEPTH + 1, 9990])
def test_validate_finds_it_too(kind: str, levels: int) -> None:
    spec, path = a_job()["spec"], "spec.graph.args"
    spec["graph"]["args"] = [nested(levels)]
    manifest = {**a_job(), "spec": spec}
    if kind == "DaskCronJob":
        path = f"spec.jobTemplate.{path}"
        manifest = {**manifest, "kind": kind, "spec": {"schedule": "@daily", "jobTemplate": {"spec": spec}}}
    [problem] = validate(manifest)
    assert problem.path.startswith(path)


def test_an_edit_of_what_is_too_deep_is_another_run() -> None:
    digests = {digest(parse_spec(with_args(value))) for value in (nested(9990), nested(9991), [nested(9990)] * 2)}
    assert len(digests) == 3
