"""Renders the chart with Helm, as a user's `helm template` would."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "daskjob-operator"
#: What `helm template` takes the cluster's version to be; a real installation asks the cluster.
KUBERNETES = "1.35.0"
NAMESPACE = "daskjob-system"

Manifest = dict[str, Any]


@functools.cache
def tool(name: str) -> str:
    """Path of a program of the test cluster. Fails, naming what builds it."""
    folder = Path(os.environ.get("CLUSTER_BIN") or Path.home() / ".cache" / "daskjob" / "bin-1.35.4")
    path = folder / name
    if not path.exists():
        pytest.fail(f"{path} is missing: run tests/cluster/build, or set CLUSTER_BIN to the folder that has it")
    return str(path)


def helm(*arguments: str, values: Manifest | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Helm on the chart; `values` go in as a file on standard input."""
    command = [tool("helm"), *arguments, "--kube-version", KUBERNETES, "--values", "-"]
    return subprocess.run(command, input=json.dumps(values or {}), capture_output=True, text=True, timeout=60)


class Rendering:
    """The objects of a rendered chart, to be asked for by kind and name."""

    def __init__(self, objects: Iterable[Manifest]) -> None:
        self.objects = list(objects)

    def all(self, kind: str) -> list[Manifest]:
        return [found for found in self.objects if found["kind"] == kind]

    def names(self, kind: str) -> set[str]:
        return {found["metadata"]["name"] for found in self.all(kind)}

    def one(self, kind: str, name: str, namespace: str | None = None) -> Manifest:
        """The object; `namespace` only where several have the name."""
        found = [
            each
            for each in self.all(kind)
            if each["metadata"]["name"] == name and namespace in (None, each["metadata"].get("namespace"))
        ]
        assert len(found) == 1, f"{len(found)} of kind {kind} are named {name}; there are {sorted(self.names(kind))}"
        return found[0]

    def container(self, deployment: str) -> Manifest:
        [container] = self.one("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
        return dict(container)

    def env(self, deployment: str) -> dict[str, Any]:
        """Value, or source, by name."""
        return {each["name"]: each.get("value", each.get("valueFrom")) for each in self.container(deployment)["env"]}


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendering]:
    """`render(values, release="daskjob")`: the chart's objects; fails with Helm's words if it refuses."""

    def rendered(values: Manifest | None = None, release: str = "daskjob") -> Rendering:
        result = helm("template", release, str(CHART), "--namespace", NAMESPACE, values=values)
        assert result.returncode == 0, result.stderr
        return Rendering(document for document in yaml.load_all(result.stdout, yaml.CSafeLoader) if document)

    return rendered


@pytest.fixture(scope="session")
def default(render: Callable[..., Rendering]) -> Rendering:
    """The chart with no values given."""
    return render()


@pytest.fixture(scope="session")
def refused() -> Callable[[Manifest], str]:
    """`refused(values)`: what Helm says against these values; fails if it takes them."""

    def message(values: Manifest) -> str:
        result = helm("template", "daskjob", str(CHART), values=values)
        assert result.returncode != 0, f"Helm takes {values}"
        return result.stderr

    return message
