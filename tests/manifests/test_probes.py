"""Probes of a template that ask where nobody but the pod itself is answered."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.errors import SpecError

from .builders import container, pod_specs, with_template

HTTP = {"name": "http-dashboard", "containerPort": 8788}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a worker's, by number": ("worker", {"livenessProbe": {"httpGet": {"port": 8788}}}, "livenessProbe.httpGet"),
    "a worker's, by name": (
        "worker",
        {"ports": [HTTP], "readinessProbe": {"httpGet": {"path": "/health", "port": "http-dashboard"}}},
        "readinessProbe.httpGet",
    ),
    "a scheduler's": ("scheduler", {"startupProbe": {"tcpSocket": {"port": 8787}}}, "startupProbe.tcpSocket"),
}
TAKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "where the scheduler listens": ("scheduler", {"livenessProbe": {"tcpSocket": {"port": "tcp-comm"}}}),
    "from within": ("worker", {"livenessProbe": {"exec": {"command": ["true"]}}}),
    "of a server of one's own": ("worker", {"livenessProbe": {"httpGet": {"port": 9000}}}),
    "of one that args open": (
        "worker",
        {"args": ["--dashboard-address", ":8788"], "livenessProbe": {"httpGet": {"port": 8788}}},
    ),
    "of the runner": ("runner", {"livenessProbe": {"httpGet": {"port": 8787}}}),
}


@pytest.mark.parametrize(("component", "own", "field"), REFUSED.values(), ids=REFUSED)
def test_a_probe_that_can_only_fail_is_told(component: str, own: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError, match="listens on the loopback alone") as refused:
        pod_specs(with_template(component, {"spec": {"containers": [{"name": component, **own}]}}))
    assert refused.value.path.endswith(f"containers[{component}].{field}.port")


@pytest.mark.parametrize(("component", "own"), TAKEN.values(), ids=TAKEN)
def test_others_are_taken(component: str, own: dict[str, Any]) -> None:
    spec = pod_specs(with_template(component, {"spec": {"containers": [{"name": component, **own}]}}))[component]
    assert container(spec, component)["livenessProbe"] == own["livenessProbe"]
