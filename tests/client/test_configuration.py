"""What Dask's configuration says about jobs: the environment, YAML files, and who wins."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import daskjob
from daskjob.futures.configuration import configured

PROGRAM = """
import json, sys
from daskjob.futures.configuration import configured
print(json.dumps([configured(), "dask" in sys.modules]))
"""


def apart(folder: Path, program: str = PROGRAM, **variables: str) -> Any:
    """What a fresh Python prints, whose home is the folder."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("DASK_")},
        "HOME": str(folder),
        **variables,
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_variables_need_no_dask(tmp_path: Path) -> None:
    variables = {"IMAGE": "a/b:1", "WORKERS": "4", "ENV": "{'LEVEL': 'info'}", "LABELS__TEAM": "a", "RETRIES": "2"}
    found, has_dask = apart(tmp_path, **{f"DASK_DASKJOB__{name}": value for name, value in variables.items()})
    assert found == {
        "image": "a/b:1",
        "workers": 4,
        "env": {"LEVEL": "info"},
        "labels": {"team": "a"},
        "retries": 2,
    }
    assert not has_dask


def test_a_name_that_would_be_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of variables are no words that may be written in any way."""
    monkeypatch.setenv("DASK_DASKJOB__ENV__LEVEL", "info")
    with pytest.raises(TypeError, match=r"pods would have level and not LEVEL: write .*ENV=\"{'LEVEL': 'info'}\""):
        configured()


@pytest.mark.parametrize("imported", [False, True])
def test_a_file_counts_with_the_environment_over_it(tmp_path: Path, imported: bool) -> None:
    (tmp_path / "mine.yaml").write_text("daskjob:\n  image: from-file\n  generate-name: mine-\n  threads: 2\n")
    variables = {"DASK_CONFIG": str(tmp_path), "DASK_DASKJOB__IMAGE": "from-variable"}
    found, has_dask = apart(tmp_path, ("import dask.config" if imported else "") + PROGRAM, **variables)
    assert (found, has_dask) == ({"image": "from-variable", "generate_name": "mine-", "threads": 2}, True)


def test_other_files_do_not_bring_dask(tmp_path: Path) -> None:
    (tmp_path / ".config" / "dask").mkdir(parents=True)
    (tmp_path / ".config" / "dask" / "distributed.yaml").write_text("distributed:\n  version: 2\n")
    assert apart(tmp_path) == [{}, False]


@pytest.fixture
def configure() -> Iterator[Callable[..., None]]:
    import dask.config

    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(dask.config.set({"daskjob": options}))


def test_a_call_wins_over_the_client_and_the_client_over_the_configuration(configure: Callable[..., None]) -> None:
    configure(backend="local", namespace="configured", image="configured", threads=3, retries=1)
    client = daskjob.connect(threads=4)
    assert client.namespace == "configured"
    assert daskjob.connect("mine").namespace == "mine"
    options = client.with_options(retries=5)._options
    assert options == {"image": "configured", "threads": 4, "retries": 5}


def test_the_cluster_is_configured(configure: Callable[..., None], tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    contexts = [{"name": each, "context": {"cluster": "c", "namespace": each}} for each in ("one", "two")]
    content = {"clusters": [cluster], "contexts": contexts, "current-context": "one", "users": []}
    (tmp_path / "config").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **content}))
    configure(kubeconfig=str(tmp_path / "config"), context="two")
    assert daskjob.connect().namespace == "two"
    assert daskjob.connect(context="one").namespace == "one"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"imgae": "a"},
            r"daskjob\.imgae in Dask's configuration \(or DASK_DASKJOB__IMGAE\).* there are namespace, .*image",
        ),
        ({"by_value": ["m"]}, r"daskjob\.by_value .*no such option"),
    ],
)
def test_an_option_that_there_is_not(configure: Callable[..., None], options: dict[str, Any], words: str) -> None:
    configure(**options)
    with pytest.raises(TypeError, match=words):
        configured()


def test_a_backend_that_there_is_not(configure: Callable[..., None]) -> None:
    configure(backend="slurm")
    with pytest.raises(ValueError, match="'slurm' is unknown; give kubernetes or local"):
        daskjob.connect()
