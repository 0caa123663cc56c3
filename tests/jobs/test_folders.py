"""What holds for every folder of jobs/: complete, its code the same beside the manifest and in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from .expectation import BACKENDS, JOBS, job_in, load

FOLDERS = sorted(path for path in JOBS.iterdir() if path.is_dir())
MANIFESTS = {folder: list(yaml.safe_load_all((folder / "job.yaml").read_text())) for folder in FOLDERS}

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def code_in_manifest(folder: Path) -> dict[str, str]:
    graph = job_in(MANIFESTS[folder])["spec"]["graph"]
    match graph["source"]:
        case {"inline": text}:
            return {graph["entrypoint"].partition(":")[0].replace(".", "/") + ".py": text}
        case {"files": files}:
            return dict(files)
        case {"configMap": {"name": name}}:
            (found,) = [each for each in MANIFESTS[folder] if each["metadata"]["name"] == name]
            return dict(found["data"])
    raise AssertionError(f"unknown source {graph['source']}")


@each_folder
def test_code_is_the_same_in_the_manifest_and_beside_it(folder: Path) -> None:
    beside = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.py")}
    assert code_in_manifest(folder) == beside


@each_folder
def test_name_and_number(folder: Path) -> None:
    assert re.fullmatch(rf"[0-9][0-9]-{job_in(MANIFESTS[folder])['metadata']['name']}", folder.name)
    assert folder.name.startswith("9") == (load(folder)["phase"] == "Failed")


@each_folder
def test_readme_says_how_to_run_it_and_what_comes_out(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    backends = load(folder).get("backends", BACKENDS)
    assert (f"$ daskjob run jobs/{folder.name}\n" in text) == ("local" in backends)
    assert (f"$ kubectl apply -f jobs/{folder.name}/job.yaml\n" in text) == ("cluster" in backends)


def test_the_readme_names_each_folder_once() -> None:
    named = re.findall(r"^\| \[(.+)\]\((.+)\) \|", (JOBS / "README.md").read_text(), re.MULTILINE)
    assert named == [(folder.name, folder.name) for folder in FOLDERS]


def test_numbers_are_given_once() -> None:
    numbers = [folder.name[:2] for folder in FOLDERS]
    assert len(set(numbers)) == len(numbers)


def test_both_ingest_jobs_do_the_same_work() -> None:
    def functions(folder: str) -> dict[str, str]:
        tree = ast.parse((JOBS / folder / "ingest.py").read_text())
        return {each.name: ast.unparse(each) for each in tree.body if isinstance(each, ast.FunctionDef)}

    raw, delayed = functions("03-ingest-raw-graph"), functions("04-ingest-delayed")
    assert set(delayed) - set(raw) == {"graph"}
    assert {name: delayed[name] for name in raw} == raw
