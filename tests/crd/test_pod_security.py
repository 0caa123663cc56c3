"""A pod at each level of the Pod Security Standards. `apiserver/test_pod_security.py` tries the cases on Kubernetes."""

from __future__ import annotations

import pytest

from daskjob.manifests.merging import merge
from daskjob.schema.pod_fields import pod_types
from daskjob.schema.pod_security import CONTROLS, Level, annotation_violations, violations

from .pod_security_cases import ANNOTATIONS, CASES, FITTING, SOURCES, Spec, annotated

#: The strictest first.
LEVELS = tuple(Level)


def refusing(spec: Spec) -> list[Level]:
    return [level for level in LEVELS if list(violations(spec, level, "spec"))]


@pytest.mark.parametrize(("change", "fit", "field"), CASES.values(), ids=CASES)
def test_the_strictest_level_that_takes_a_pod(change: Spec, fit: Level, field: str) -> None:
    spec = merge(FITTING, change)
    assert refusing(spec) == list(LEVELS[: LEVELS.index(fit)])
    found = list(violations(spec, Level.RESTRICTED, "spec"))
    assert [each.path for each in found][:1] == ([f"spec.{field}"] if field else [])
    assert max((each.fit for each in found), key=LEVELS.index, default=Level.RESTRICTED) is fit


def test_every_control_refuses_something() -> None:
    refused = {
        (each.control, each.fit)
        for change, _, _ in CASES.values()
        for each in violations(merge(FITTING, change), Level.RESTRICTED, "spec")
    }
    rows = {
        (control.field, Level.PRIVILEGED if control.level is Level.BASELINE else Level.BASELINE) for control in CONTROLS
    }
    assert rows - refused == set()


def test_no_kind_of_volume_is_left_out() -> None:
    assert SOURCES.keys() | {"name"} == pod_types()["Volume"].fields.keys()


@pytest.mark.parametrize(("value", "fit"), ANNOTATIONS.values(), ids=ANNOTATIONS)
def test_annotations_of_apparmor(value: str, fit: Level) -> None:
    annotations = {"note": "unconfined", **annotated(value)}
    found = {
        level: [each.path for each in annotation_violations(annotations, level, "metadata.annotations")]
        for level in LEVELS
    }
    path = "metadata.annotations[container.apparmor.security.beta.kubernetes.io/main]"
    assert found == {level: [path] if LEVELS.index(level) < LEVELS.index(fit) else [] for level in LEVELS}


def test_windows_has_no_capabilities() -> None:
    """As Kubernetes has it: these controls are of Linux."""
    spec = merge(FITTING, {"os": {"name": "windows"}, "securityContext": {"seccompProfile": None}})
    spec["containers"][0].pop("securityContext")
    assert refusing(spec) == []


def test_messages_name_what_to_write() -> None:
    spec = merge(FITTING, {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}, "hostPID": True})
    messages = [each.message for each in violations(spec, Level.BASELINE, "spec")]
    assert messages[0] == "must not be true"
    assert messages[1].startswith("must be one of kernel.shm_rmid_forced, ")
    assert messages[1].endswith(', not "kernel.msgmax"')
