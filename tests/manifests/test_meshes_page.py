"""The manifest of docs/service-meshes.md keeps all pods of a job out of a mesh, whatever the mesh goes by."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from daskjob.manifests.dask_cluster import dask_cluster
from daskjob.manifests.runner import runner_pod

from .builders import context, job

PAGE = Path(__file__).resolve().parents[2] / "docs" / "service-meshes.md"
ISTIO, LINKERD = ("sidecar.istio.io/inject", "false"), ("linkerd.io/inject", "disabled")


def test_the_manifest_reaches_all_pods() -> None:
    [block] = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    built = context(job(**yaml.safe_load(block)))
    cluster, runner = dask_cluster(built)["spec"], runner_pod(built)
    assert ISTIO in runner["metadata"]["labels"].items()
    for metadata in (cluster["scheduler"]["metadata"], cluster["worker"]["metadata"], runner["metadata"]):
        assert LINKERD in metadata["annotations"].items()


def test_without_it_the_runner_is_the_namespaces_to_decide_about() -> None:
    metadata = runner_pod(context(job()))["metadata"]
    assert not {ISTIO[0], LINKERD[0]} & {*metadata["labels"], *metadata["annotations"]}


def test_the_port_is_called_as_the_page_says() -> None:
    [port] = dask_cluster(context(job()))["spec"]["scheduler"]["service"]["ports"]
    assert f"{port['port']} of the scheduler's Service, whose port is called `{port['name']}`" in PAGE.read_text()
