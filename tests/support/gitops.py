"""What Argo CD and Flux make of a document, by their own rules (tests/gitops/rules)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

from .programs import ROOT, program

Document = dict[str, Any]

#: The scripts that the chart ships for Argo CD.
SCRIPTS = ROOT / "charts" / "daskjob-operator" / "files" / "argocd"


class View(NamedTuple):
    """What GitOps tools see."""

    #: Argo CD's health: Healthy, Progressing, Degraded, Suspended or Unknown (its script failed).
    argo: str
    #: Flux's, by kstatus: Current, InProgress, Failed or Terminating.
    kstatus: str
    #: What Argo CD shows beside it.
    message: str = ""


def gitops_view(document: Document) -> View:
    """What they make of a DaskJob or DaskCronJob as the API server has it."""
    return gitops_views([document])[0]


def gitops_views(documents: Sequence[Document]) -> list[View]:
    """The same for many at once: one process for all."""
    answers = ask({"object": each, "health": health_script(each["kind"])} for each in documents)
    return [View(each["argo"]["status"], each["kstatus"]["status"], each["argo"]["message"]) for each in answers]


def health_script(kind: str) -> str:
    return (SCRIPTS / f"{kind.lower()}.lua").read_text()


def action_script(kind: str, name: str) -> str:
    """The script of an action, or the one that tells which there are: `discovery`."""
    return (SCRIPTS / f"{kind.lower()}-actions" / f"{name}.lua").read_text()


def ask(questions: Any) -> list[dict[str, Any]]:
    """Answers of tests/gitops/rules to its questions, in their order. Raises AssertionError with its words."""
    done = subprocess.run(
        [program("gitops-rules")], input=json.dumps(list(questions)), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"gitops-rules: {done.stderr.strip()}"
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers
