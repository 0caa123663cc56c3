"""The way to the API server through a proxy: by the environment, or by the kubeconfig."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from daskjob.client.credentials import Target
from daskjob.client.job_client import JobClient
from daskjob.client.problems import ClusterUnreachable

from .conftest import Start
from .played import job, listed

#: Nobody is there, and nobody is asked where it is: the proxy is.
ELSEWHERE = "http://cluster.invalid:80"


def kubeconfig(folder: Path, server: str = ELSEWHERE, **cluster: str) -> str:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "me", "namespace": "team"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def names(file: str) -> list[str]:
    return [each["metadata"]["name"] for each in JobClient(Target(kubeconfig=file)).list_objects()]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_of_the_environment(
    play: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    proxy = play({"list daskjobs": [listed(job())]})
    monkeypatch.setenv(variable, proxy.url)
    assert names(kubeconfig(tmp_path)) == ["one"]
    assert proxy.asked[0].headers["host"] == "cluster.invalid:80"


def test_a_host_without_the_proxy(play: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, proxy = play({"list daskjobs": [listed(job())]}), play({})
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.0/8,127.0.0.1")
    assert names(kubeconfig(tmp_path, server.url)) == ["one"]
    assert proxy.asked == []


def test_the_proxy_of_a_kubeconfig_counts_first(play: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for kubectl: also of a host that NO_PROXY names."""
    proxy, other = play({"list daskjobs": [listed(job())]}), play({})
    monkeypatch.setenv("HTTP_PROXY", other.url)
    monkeypatch.setenv("NO_PROXY", "cluster.invalid")
    assert names(kubeconfig(tmp_path, **{"proxy-url": proxy.url})) == ["one"]
    assert other.asked == []


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://127.0.0.1:9", "the proxy on the way to http://cluster.invalid"),
        ("gopher://x", "proxy of the kubeconfig"),
    ],
)
def test_a_proxy_that_cannot_be_used(tmp_path: Path, proxy: str, words: str) -> None:
    with pytest.raises(ClusterUnreachable, match=words):
        names(kubeconfig(tmp_path, **{"proxy-url": proxy}))
