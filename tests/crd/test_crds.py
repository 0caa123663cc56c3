"""Where the CRD files are found, and the list of fields that other tests compare with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from daskjob.schema import find_crds, load_crds, property_paths

ROOT = Path(__file__).parents[2]


def test_in_a_checkout_they_are_its_own() -> None:
    assert Path(str(find_crds())) == ROOT / "crds"
    assert sorted(load_crds()) == ["DaskCronJob", "DaskJob", "DaskJobReport"]


def test_a_wheel_has_them_as_package_data(tmp_path: Path) -> None:
    """The layout that pyproject.toml makes, in a process that cannot see the checkout's."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["crds"] == "daskjob/schema/crds"
    package = tmp_path / "daskjob"
    shutil.copytree(ROOT / "operator/daskjob/schema", package / "schema", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "operator/daskjob/results", package / "results", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "operator/daskjob/__init__.py", package)
    asked = [sys.executable, "-c", "from daskjob.schema import *; print(find_crds()); print(len(load_crds()))"]

    def ask() -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        return subprocess.run(asked, env=environment, cwd=tmp_path, capture_output=True, text=True)

    assert "install it again" in ask().stderr
    shutil.copytree(ROOT / "crds", package / "schema/crds")
    assert ask().stdout.split() == [str(package / "schema/crds"), "3"], ask().stderr


def test_importing_is_light() -> None:
    code = "import sys, daskjob.schema; print([m for m in ('celpy', 'jsonschema', 'yaml', 're2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_property_paths() -> None:
    paths = property_paths("DaskJob")
    assert paths["spec.cluster.workers.replicas"]["type"] == "integer"
    assert {"spec", "spec.graph.args[]", "spec.graph.source.files{}", "status.attempts[].number"} <= set(paths)
    assert not {"metadata", "kind", "metadata.name"} & set(paths)
    assert "spec.cancel" in property_paths("DaskJobReport")
