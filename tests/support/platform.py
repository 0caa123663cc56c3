"""The cluster that the tests use, with the images in it and the chart installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .kube import Kube
from .programs import CLUSTER, ROOT, program, script
from .settings import PREBUILT, REGISTRY, TAG, image

CHART = ROOT / "charts" / "daskjob-operator"
RELEASE = "daskjob"
SYSTEM = "daskjob-system"
IMAGES = ("operator", "dask-new", "dask-old")


@contextmanager
def running_cluster() -> Iterator[Kube]:
    """The cluster that KUBECONFIG names, or our own: if it is not up, it is started, and stopped at the end."""
    given = os.environ.get("KUBECONFIG")
    if given:
        yield Kube(given)
        return
    was_up = subprocess.run([CLUSTER / "up", "--check"], capture_output=True).returncode == 0
    kubeconfig = script("up").strip().removeprefix("export KUBECONFIG=")
    try:
        yield Kube(kubeconfig)
    finally:
        if not was_up:
            script("down")


def load_images(kube: Kube, *names: str) -> dict[str, str]:
    """Builds the images whose inputs changed and puts them into our cluster. Returns the archive of each, by name.
    `names`: which; by default those of all tests that are not run by hand.

    The nodes of another cluster must have the images already (see tests/README.md): they are out of reach from here.
    """
    if PREBUILT:
        return dict.fromkeys(names or IMAGES, PREBUILT)
    ours = (Path(kube.kubeconfig).parent / "containerd.sock").exists()
    printed = script("image", *([] if ours else ["--build-only"]), *(names or IMAGES))
    return dict(line.split() for line in printed.splitlines())


@dataclass(frozen=True)
class Release:
    """The installed chart."""

    kube: Kube
    revision: str

    def values(self) -> dict[str, Any]:
        # Pods are replaced when the image is another one, though its name is the same.
        pod = {"podAnnotations": {"daskjob-tests/image": self.revision}}
        return {
            "image": {"repository": f"{REGISTRY}/operator", "tag": TAG},
            "job": {"defaultImage": image("dask-new")},
            "operator": pod,
            "daskController": pod,
        }

    def install(self, changes: Mapping[str, Any] | None = None, namespace: str = SYSTEM) -> None:
        """`helm upgrade --install`, and waits until all is ready."""
        self.helm(
            "upgrade", RELEASE, str(CHART), "--install", "--create-namespace", "--wait", "--timeout=120s", "--values=-",
            namespace=namespace, values=merged(self.values(), changes or {}),
        )  # fmt: skip

    def uninstall(self, namespace: str = SYSTEM) -> None:
        self.helm("uninstall", RELEASE, "--wait", "--timeout=60s", "--ignore-not-found", namespace=namespace)

    def installed(self, namespace: str = SYSTEM) -> bool:
        return RELEASE in self.helm("list", "--short", namespace=namespace).split()

    def helm(self, *arguments: str, namespace: str, values: Mapping[str, Any] | None = None) -> str:
        command = [program("helm"), *arguments, "--kubeconfig", self.kube.kubeconfig, "--namespace", namespace]
        words = yaml.safe_dump(dict(values)) if values is not None else None
        done = subprocess.run(command, input=words, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def pods(self, component: str) -> list[dict[str, Any]]:
        """The pods of the operator (`operator`) or of the Dask controller (`dask-controller`) that are to stay."""
        found = self.kube.within(SYSTEM).list("pods", f"app.kubernetes.io/component={component}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the changes, mappings merged, as Helm merges values."""
    result = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result
