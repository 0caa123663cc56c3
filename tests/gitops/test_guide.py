"""What charts/daskjob-operator/GITOPS.md tells users to write does what it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from ..apiserver.server import Server
from ..support.gitops import SCRIPTS, ask, health_script
from ..support.programs import ROOT
from .lives import EDITED, LIFE, Document

CHART = ROOT / "charts" / "daskjob-operator"
GUIDE = (CHART / "GITOPS.md").read_text()
DOCUMENTS = [
    document
    for block in re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for document in yaml.safe_load_all(block)
]
JOBS = [each for each in DOCUMENTS if each.get("kind") == "DaskJob"]


def test_its_jobs_are_accepted(server: Server) -> None:
    assert len(JOBS) == 3
    documents = yaml.safe_dump_all(JOBS)
    applied = server.kubectl("apply", "--server-side", "--dry-run=server", "--filename=-", stdin=documents)
    assert applied.returncode == 0, applied.stderr


def expressions() -> Document:
    [entry] = next(each["healthCheckExprs"] for each in DOCUMENTS if "healthCheckExprs" in each)
    assert (entry["apiVersion"], entry["kind"]) == ("daskjob.io/v1alpha1", "DaskJob")
    return {name: entry[name] for name in entry if name not in ("apiVersion", "kind")}


def test_its_expressions_let_a_suspended_job_pass_and_are_else_as_kstatus() -> None:
    moments = [*LIFE, *EDITED]
    answers = ask({"object": each.document, "expressions": expressions()} for each in moments)
    found = {each.name: answer["expressions"]["status"] for each, answer in zip(moments, answers, strict=True)}
    assert found == {each.name: each.kstatus for each in moments} | {"suspended": "Current"}


def test_the_paths_that_it_names_exist() -> None:
    for path in re.findall(r"charts/daskjob-operator/\S+", GUIDE):
        assert (ROOT / path).exists(), path


def settings() -> dict[str, Any]:
    values = yaml.safe_load((SCRIPTS / "argocd-values.yaml").read_text())
    keys: dict[str, Any] = values["configs"]["cm"]
    assert keys == yaml.safe_load((SCRIPTS / "argocd-cm-patch.yaml").read_text())["data"]
    return keys


@pytest.mark.parametrize("kind", ["DaskJob", "DaskCronJob"])
def test_the_settings_of_argo_cd_have_the_scripts(kind: str) -> None:
    """In the shape that it reads: the health check as it is, the actions as YAML of their own."""
    keys = settings()
    assert keys[f"resource.customizations.health.daskjob.io_{kind}"] == health_script(kind)
    actions = yaml.safe_load(keys[f"resource.customizations.actions.daskjob.io_{kind}"])
    assert set(actions) == {"discovery.lua", "definitions"}
    found = {each["name"]: each["action.lua"] for each in actions["definitions"]}
    found["discovery"] = actions["discovery.lua"]
    scripts = (SCRIPTS / f"{kind.lower()}-actions").glob("*.lua")
    assert found == {path.stem: path.read_text() for path in scripts}
