"""The chart's copies are what they are copies of, and charts/sync notices when they are not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from .conftest import CHART, ROOT

DASK_CRDS = "operator/deployment/helm/dask-kubernetes-operator/crds"


def sync(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "charts" / "sync"), *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout of only what charts/sync reads and writes, up to date."""
    for folder in ("charts", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assert sync(tmp_path).returncode == 0
    return tmp_path


def test_our_definitions_are_those_of_crds() -> None:
    files = CHART / "files" / "crds"
    assert {path.name: path.read_text() for path in files.iterdir()} == {
        path.name: path.read_text() for path in (ROOT / "crds").glob("*.yaml")
    }, "run charts/sync"


OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_dask_definitions_are_those_of_the_installed_package_with_pods_opened() -> None:
    spec = find_spec("dask_kubernetes")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0]) / DASK_CRDS
    files = CHART / "files" / "dask-crds"
    assert sorted(os.listdir(files)) == ["daskcluster.yaml", "daskworkergroup.yaml"]
    opened = {"daskcluster.yaml": ["scheduler", "worker"], "daskworkergroup.yaml": ["worker"]}
    for path in files.iterdir():
        theirs, ours = (yaml.load(each.read_text(), yaml.CSafeLoader) for each in (source / path.name, path))
        [version] = theirs["spec"]["versions"]
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        for part in opened[path.name]:
            assert len(spec[part]["properties"]["spec"]["properties"]["containers"]) > 1
            spec[part]["properties"]["spec"] = OPEN
        assert ours == theirs, "run charts/sync"
        # A definition is read again by each API server at each start, and each client that looks for kinds.
        assert path.stat().st_size < 10_000


def test_the_checkout_is_up_to_date() -> None:
    result = sync(ROOT, "--check")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("path", "added"),
    [
        pytest.param("crds/daskjobs.yaml", "# new\n", id="definition"),
        pytest.param("crds/more.yaml", "a: 1\n", id="new-definition"),
        pytest.param("charts/daskjob-operator/files/crds/old.yaml", "a: 1\n", id="definition-gone"),
        pytest.param("charts/daskjob-operator/files/dask-crds/daskcluster.yaml", "# new\n", id="dask"),
        pytest.param("charts/daskjob-operator/values.yaml", "# -- New.\nmore: 1\n", id="value"),
    ],
)
def test_a_stale_copy_is_noticed_and_mended(copy: Path, path: str, added: str) -> None:
    assert sync(copy, "--check").returncode == 0
    changed = copy / path
    changed.write_text((changed.read_text() if changed.exists() else "") + added)
    result = sync(copy, "--check")
    assert result.returncode == 1
    assert "run charts/sync" in result.stderr
    assert sync(copy).returncode == 0
    assert sync(copy, "--check").returncode == 0


def leaves(values: object, prefix: str = "") -> set[str]:
    """Dotted names of the values that a user sets: mappings of free content count as one."""
    if not isinstance(values, dict) or not values or prefix.endswith(("Context", "resources")):
        return {prefix}
    return set().union(*(leaves(value, f"{prefix}.{key}" if prefix else key) for key, value in values.items()))


def test_every_value_is_explained_in_values_yaml_and_in_the_readme() -> None:
    expected = leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    table = (CHART / "README.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| `(.*)` \| (.+) \|$", table, re.MULTILINE)
    assert {name for name, _, _ in rows} == expected
    for name, _, meaning in rows:
        assert meaning.endswith("."), f"{name}: explain in a sentence"
