"""What the API server accepts and refuses of a DaskJob, and that `daskjob.schema` says the same without it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daskjob.schema import apply_defaults, validate

from ..crd import all_cases
from ..crd.cases import Refused, a_job, plain
from .server import Answer, Server

DRY = "dryRun=All&fieldValidation=Strict"
JOBS = "/apis/daskjob.io/v1alpha1/namespaces/default/daskjobs"


def fields(answer: Answer) -> set[str]:
    """The fields that an answer complains about. Unknown ones are refused while decoding, before all else."""
    unknown = re.findall(r'unknown field "([^"]*)"', answer.message)
    return {plain(field) for field in unknown} or {plain(field) for field, _ in answer.causes}


@pytest.mark.parametrize("manifest", all_cases.ACCEPTED.values(), ids=all_cases.ACCEPTED)
def test_accepted_and_stored_as_foretold(server: Server, manifest: dict[str, Any]) -> None:
    stored = server.admin.create(JOBS, manifest, DRY).ok()
    assert stored["spec"] == apply_defaults(manifest)["spec"]


@pytest.mark.parametrize("case", all_cases.REFUSED, ids=str)
def test_refused(server: Server, case: Refused) -> None:
    answer = server.admin.create(JOBS, case.manifest, DRY)
    assert answer.status in (400, 422), answer
    assert fields(answer) == {plain(case.field)} | _of_kubernetes(case), answer.message
    if "unknown field" not in answer.message:
        assert any(case.server in message for _, message in answer.causes), answer.causes


def _of_kubernetes(case: Refused) -> set[str]:
    """A name that is no DNS name is refused for that, too, and at the same field."""
    return {"metadata.name"} if case.field == "metadata.name" else set()


# Small pieces that are right here and wrong there; hypothesis finds the combinations.
_VALUES = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        3,
        -1,
        2.0,
        0.5,
        "",
        "1",
        "a",
        "a:b",
        "500m",
        "2Gi",
        "../x",
        [],
        [1],
        {},
        {"a": "b"},
        {"name": "a"},
    ]
)
#: Of a whole float where an integer belongs, the server's CEL says that it cannot be read; without a rule, it is taken.
_PLAIN = _VALUES.filter(lambda value: not isinstance(value, float) or not value.is_integer())
_WORKERS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": _PLAIN,
        "adaptive": st.fixed_dictionaries({}, optional={"minimum": _VALUES, "maximum": _VALUES}) | _VALUES,
        "threads": _VALUES,
        "minWorkers": _PLAIN,
        "resources": st.fixed_dictionaries(
            {},
            optional={
                "requests": st.dictionaries(st.sampled_from(["cpu", "memory"]), _VALUES),
                "limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), _VALUES),
            },
        ),
        "template": st.fixed_dictionaries({}, optional={"metadata": _VALUES, "spec": _VALUES, "more": _VALUES}),
    },
)
_GRAPHS = st.fixed_dictionaries(
    {"entrypoint": st.sampled_from(["a:b", "a.b:c.d", "a", "a:b:c", None, 5])},
    optional={
        "args": st.lists(_VALUES, max_size=2) | _VALUES,
        "kwargs": st.dictionaries(st.sampled_from("ab"), _VALUES, max_size=2) | _VALUES,
        "keys": st.lists(_VALUES, max_size=2),
        "source": st.fixed_dictionaries(
            {},
            optional={
                "inline": _VALUES,
                "files": st.dictionaries(st.sampled_from(["a.py", "b/c.py", "/d", "..", ""]), _VALUES, max_size=2)
                | _VALUES,
                "configMap": st.fixed_dictionaries({}, optional={"name": _VALUES, "key": _VALUES}) | _VALUES,
            },
        )
        | _VALUES,
    },
)
_ENV = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("AB")}, optional={"value": _VALUES, "valueFrom": _VALUES}),
    max_size=2,
)
_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "graph": _GRAPHS,
        "cluster": st.fixed_dictionaries(
            {},
            optional={
                "image": _VALUES,
                "workers": _WORKERS,
                "env": _ENV,
                "dashboard": _VALUES,
                "scheduler": st.fixed_dictionaries({}, optional={"workerSaturation": _VALUES}) | _VALUES,
            },
        ),
        "runner": _VALUES,
        "activeDeadlineSeconds": _VALUES,
    },
)
_EXIT_CODES = st.fixed_dictionaries({}, optional={"operator": st.sampled_from(["In", "in", 1]), "values": _VALUES})
_RULE = st.fixed_dictionaries(
    {"action": st.sampled_from(["Fail", "Retry", "Ignore", "FailJob", None])},
    optional={
        "onReasons": _VALUES,
        "onExitCodes": _EXIT_CODES | _VALUES,
        "onExceptionTypes": _VALUES,
        "onMessagePattern": st.sampled_from(["a", "(", "a{2,1}", "[[:alpha:]]", r"\p{Greek}", "(?=a)", "", None, 1]),
    },
)
_CONTROL = st.fixed_dictionaries(
    {"graph": st.just({"entrypoint": "a:b"})},
    optional={
        "backoffLimit": _PLAIN,
        "backoff": st.fixed_dictionaries({}, optional={"initialSeconds": _PLAIN, "maximumSeconds": _PLAIN}) | _VALUES,
        "failurePolicy": st.fixed_dictionaries({}, optional={"rules": st.lists(_RULE, max_size=2) | _VALUES}) | _VALUES,
        "stallTimeoutSeconds": _VALUES | st.sampled_from([29, 30]),
        "ttlSecondsAfterFinished": _VALUES,
        "suspend": _VALUES,
        "cleanup": st.fixed_dictionaries({}, optional={"afterFailureSeconds": _VALUES}) | _VALUES,
        "runPolicy": st.sampled_from(["Once", "OnChange", "once", None]),
        "priority": _VALUES,
        "managedBy": st.sampled_from(["a.b/c", "a/", "/c", "daskjob.io/operator", None, 1]),
    },
)


@given(spec=_SPECS | _CONTROL)
@settings(max_examples=500, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_offline_validator_judges_as_the_server_does(server: Server, spec: dict[str, Any]) -> None:
    """Of every combination: both accept and mean the same spec, or both refuse the same fields."""
    manifest = a_job() | {"spec": spec}
    answer = server.admin.create(JOBS, manifest, DRY)
    problems = validate(manifest)
    if answer.status in (200, 201):
        assert problems == []
        assert answer.body["spec"] == apply_defaults(manifest)["spec"]
        return
    assert answer.status in (400, 422), answer
    offline = {plain(problem.path) for problem in problems}
    if "unknown field" in answer.message:
        # The server stops here, and calls unknown what lies in a mapping where it expects, say, a number.
        assert {plain(each.path) for each in problems if each.message.startswith("unknown field")} <= fields(answer)
        assert all(any(field == own or field.startswith(f"{own}.") for own in offline) for field in fields(answer))
    elif "some validation rules were not checked" in answer.message:
        # The server leaves out rules when a type is wrong; here they are still tried.
        assert fields(answer) <= offline
    else:
        assert fields(answer) == offline


def test_kubectl_apply_tells_the_user(server: Server) -> None:
    """The same through kubectl, which asks for strict validation by default."""
    misspelt = server.kubectl("apply", "-f", "-", stdin=json.dumps(a_job("{cluster: {worker: {}}}")))
    assert misspelt.returncode == 1
    assert 'unknown field "spec.cluster.worker"' in misspelt.stderr
    twice = server.kubectl("apply", "-f", "-", stdin=json.dumps(a_job("{graph: {source: {}}}", name="X")))
    assert (
        "spec.graph.source: Invalid value: give exactly one of inline, files, configMap, git, archive and payload"
        in twice.stderr
    )
    assert "metadata.name: Invalid value: use lower-case letters, digits and '-'" in twice.stderr


def test_kubectl_explains_every_field(server: Server) -> None:
    explained = server.kubectl("explain", "daskjobs.spec.cluster.workers.adaptive.minimum").stdout
    assert "minimum number of workers. Default 1." in explained


def test_kubectl_get_shows_the_columns(server: Server, namespace: str) -> None:
    path = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    server.admin.create(path, a_job()).ok()
    status = {
        "phase": "Succeeded",
        "summary": "41541750",
        "progress": {"summary": "501/501"},
        "cluster": {"summary": "2/2"},
    }
    server.admin.merge(f"{path}/square-sum/status", {"status": status}).ok()
    header, row = server.kubectl("get", "dj", "--namespace", namespace).stdout.splitlines()
    assert header.split() == ["NAME", "PHASE", "PROGRESS", "WORKERS", "RESULT", "AGE"]
    assert row.split()[:5] == ["square-sum", "Succeeded", "501/501", "2/2", "41541750"]
    assert "daskjob.daskjob.io/square-sum" in server.kubectl("get", "dask", "-o", "name", "-n", namespace).stdout
