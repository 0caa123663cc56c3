"""What the chart has for Prometheus."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock

from daskjob.api.resource import DASK_JOBS
from daskjob.controller import metrics
from daskjob.controller.cache import Cache
from daskjob.controller.gauges import WorkCollector
from daskjob.controllers.job import job_metrics
from daskjob.controllers.job.job_gauges import JobCollector
from daskjob.controllers.job.policies import Policies
from daskjob.controllers.job.watched import job_of

from .conftest import NAMESPACE, Rendering

OPERATOR, CONTROLLER = "daskjob-operator", "daskjob-operator-dask-controller"
KINDS = ("PodMonitor", "ServiceMonitor", "PrometheusRule")
EVERYTHING = {
    "metrics": {
        "podMonitor": {"enabled": True, "interval": "30s", "labels": {"release": "one"}},
        "serviceMonitor": {"enabled": True, "labels": {"release": "two"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "three"}},
    }
}


def port_of(rendering: Rendering) -> int:
    return next(port["containerPort"] for port in rendering.container(OPERATOR)["ports"] if port["name"] == "metrics")


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_the_operator_is_asked_and_nobody_else(default: Rendering) -> None:
    service = default.one("Service", f"{OPERATOR}-metrics")["spec"]
    [port] = service["ports"]
    assert (port["port"], port["targetPort"]) == (8081, "metrics")
    assert default.env(OPERATOR)["DASKJOB_METRICS_PORT"] == str(port_of(default)) == "8081"
    assert service["publishNotReadyAddresses"] is True
    pods = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in default.all("Deployment")
    }
    assert [name for name, labels in pods.items() if selects(service["selector"], labels)] == [OPERATOR]
    assert [port["name"] for port in default.container(CONTROLLER)["ports"]] == ["health"]


def test_another_port(render) -> None:
    rendering = render({"metrics": {"port": 9090}})
    assert port_of(rendering) == 9090
    assert rendering.env(OPERATOR)["DASKJOB_METRICS_PORT"] == "9090"
    assert rendering.one("Service", f"{OPERATOR}-metrics")["spec"]["ports"][0]["port"] == 9090


def test_none(render) -> None:
    rendering = render({"metrics": {**EVERYTHING["metrics"], "enabled": False}})
    assert rendering.env(OPERATOR)["DASKJOB_METRICS_PORT"] == "0"
    assert not rendering.all("Service")
    assert not [each for kind in KINDS for each in rendering.all(kind)]
    assert [port["name"] for port in rendering.container(OPERATOR)["ports"]] == ["health"]
    [rule] = rendering.one("NetworkPolicy", OPERATOR)["spec"]["ingress"]
    assert rule["ports"][0]["port"] == "health"


def test_nothing_of_the_prometheus_operator_by_default(default: Rendering) -> None:
    assert not [each for kind in KINDS for each in default.all(kind)]


def test_monitors(render) -> None:
    rendering = render(EVERYTHING)
    pod, service = rendering.one("PodMonitor", OPERATOR), rendering.one("ServiceMonitor", OPERATOR)
    labels = rendering.one("Deployment", OPERATOR)["spec"]["template"]["metadata"]["labels"]
    assert selects(pod["spec"]["selector"]["matchLabels"], labels)
    labels = rendering.one("Service", f"{OPERATOR}-metrics")["metadata"]["labels"]
    assert selects(service["spec"]["selector"]["matchLabels"], labels)
    same = {"port": "metrics", "path": "/metrics", "honorLabels": True}
    assert pod["spec"]["podMetricsEndpoints"] == [{**same, "interval": "30s"}]
    assert service["spec"]["endpoints"] == [same]
    assert [rendering.one(kind, OPERATOR)["metadata"]["labels"]["release"] for kind in KINDS] == ["one", "two", "three"]


def known_series() -> set[str]:
    """Names of all series, as Prometheus has them."""
    lookups = (JobCollector(Cache(DASK_JOBS, job_of)), WorkCollector([]), Policies(Mock(), None))
    assert job_metrics.ORPHANS is not None, "imported, so registered"
    families: list[Any] = [*metrics.REGISTRY.collect(), *(each for one in lookups for each in one.collect())]
    counters = {f"{family.name}_total" for family in families if family.type == "counter"}
    return counters | {family.name for family in families}


def test_alerts_are_about_metrics_that_there_are(render) -> None:
    rule = render(EVERYTHING).one("PrometheusRule", OPERATOR)
    [group] = rule["spec"]["groups"]
    assert len(group["rules"]) == 6
    for alert in group["rules"]:
        named = re.findall(r"daskjob_\w+", alert["expr"])
        assert named, alert
        assert set(named) <= known_series(), alert
        assert alert["expr"].count("(") == alert["expr"].count(")")
        assert alert["annotations"]["summary"].endswith(".")
        assert "{{ `" not in str(alert)
    mine = [alert["expr"] for alert in group["rules"] if "namespace=" in alert["expr"]]
    assert len(mine) == 5
    assert all(f'namespace="{NAMESPACE}"' in expression for expression in mine)
