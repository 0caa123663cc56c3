"""The pages that a stranger reads first, and the commands in them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import daskjob
from daskjob.client.job_client import JobClient
from daskjob.schema import property_paths

ROOT = Path(__file__).resolve().parents[1]
TARGETS = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def test_the_documentation_builds(tmp_path: Path) -> None:
    """With every warning an error: a link that leads nowhere, a page in no list. Without the network."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    command += ["--doctree-dir", str(tmp_path / "doctrees"), "--conf-dir", "docs", ".", str(tmp_path / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "square-sum" in (tmp_path / "html" / "README.html").read_text()
    described = set(re.findall(r'id="([\w.]+)"', (tmp_path / "html" / "docs" / "library.html").read_text()))
    public = {f"daskjob.{name}" for name in daskjob.__all__ if name != "__version__"}
    methods = {f"daskjob.client.job_client.JobClient.{name}" for name in vars(JobClient) if not name.startswith("_")}
    assert (public | methods) - described == set()


def test_the_picture_of_the_layers_is_current() -> None:
    command = [sys.executable, ROOT / "docs" / "generate_layers.py", "--check"]
    assert subprocess.run(command).returncode == 0, "run docs/generate_layers.py"


@pytest.mark.parametrize("script", ["generate_commands.py", "generate_reference.py", "generate_schemas.py"])
def test_the_reference_is_current(script: str) -> None:
    command = [sys.executable, ROOT / "docs" / script, "--check"]
    assert subprocess.run(command).returncode == 0, f"run docs/{script}"


def test_the_reference_has_each_field_and_command() -> None:
    """Whatever is nested how deep."""
    page = (ROOT / "docs" / "fields.md").read_text()
    named = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    paths = [path for kind in ("DaskJob", "DaskCronJob") for path in property_paths(kind)]
    fields = {path.rpartition(".")[2].rstrip("[]{}") for path in paths}
    assert fields - named == set()
    linked = set(re.findall(r"\]\(#([\w-]+)\)", page))
    titles = [re.sub(r"[^\w -]", "", each.lower()) for each in re.findall(r"^### (.*)", page, re.MULTILINE)]
    assert linked <= {each.replace(" ", "-") for each in titles}
    table = (ROOT / "docs" / "command-line.md").read_text()
    commands = re.findall(r"^\| `daskjob ((?:cron )?[a-z-]+)", table, re.MULTILINE)
    assert commands == re.findall(r"^## daskjob (.*)", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_in_a_page_exist(path: Path) -> None:
    named = re.findall(r"(?:`|\$ )make ([a-z][a-z0-9 -]*)", path.read_text())
    assert [target for words in named for target in words.split() if target not in TARGETS] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_repository_paths_in_a_page_exist(path: Path) -> None:
    named = re.findall(r"`((?:tests|docs|charts|crds|jobs|operator)/[\w./-]*\w)`", path.read_text())
    modules = re.findall(r"`(\w[\w/]*/\w+\.py)`", path.read_text())
    roots = (ROOT, ROOT / "operator" / "daskjob")
    assert [each for each in named + modules if not any((root / each).exists() for root in roots)] == []


def test_continuous_integration_calls_the_same_targets() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert all(command.startswith("make ") for command in commands)
    assert [target for command in commands for target in command.split()[1:] if target not in TARGETS] == []


def test_commit_hooks_call_programs_that_exist() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    [repository] = config["repos"]
    scripts = [word for hook in repository["hooks"] for word in hook["entry"].split() if "/" in word]
    assert [each for each in scripts if not each.startswith(".venv/") and not (ROOT / each).exists()] == []


def test_the_layers_in_the_page_are_those_of_the_rules() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    described = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE))))
    packages = {path.parent.name for path in (ROOT / "operator" / "daskjob").glob("*/__init__.py")}
    assert described == packages
