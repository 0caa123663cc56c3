"""The scripts that build a release's image and list what is in it, run with a stand-in for docker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .archives import write

ROOT = Path(__file__).resolve().parents[2]
BASE = "python:3.12-slim@sha256:" + "0123456789abcdef" * 4
#: Writes down its arguments; saves the archive of the tests.
DOCKER = """\
#!/usr/bin/env bash
printf '%s\\n' "$*" >>"$CALLS"
case "$1 $2" in
"save "*) cat "$ARCHIVE" ;;
"image inspect") echo sha256:0123 ;;
esac
"""


class Project:
    """A copy of the scripts in a project of its own, with a commit."""

    def __init__(self, folder: Path) -> None:
        self.path, self.calls = folder / "project", folder / "calls.txt"
        shutil.copytree(ROOT / "image", self.path / "image", ignore=shutil.ignore_patterns("__pycache__"))
        files = {
            folder / "bin" / "docker": DOCKER,
            self.path / ".venv" / "bin" / "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
            self.path / "operator" / "daskjob" / "__init__.py": '__version__ = "7.1.0"\n',
            self.path / ".gitignore": "build/\n",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
            "ARCHIVE": str(write(folder / "image.tar")),
        }
        self.git("init", "-q")
        self.git("add", ".")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "all")

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True).stdout

    def run(self, script: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        """Runs a script: how it ended, and the calls of docker."""
        self.calls.write_text("")
        command = [self.path / "image" / script, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        return done, self.calls.read_text().splitlines()

    @property
    def listed(self) -> Path:
        return self.path / "build" / "operator.cdx.json"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize(
    "base", ["python:3.12-slim", "python:3.12-slim@sha256:0123", f"{BASE}0", BASE.replace("a", "A")]
)
def test_a_base_without_a_digest_is_refused(base: str, project: Project) -> None:
    done, calls = project.run("release", "registry.example/operator:7", base)
    assert (done.returncode, calls) == (2, [])
    assert f"the base {base} has no digest (NAME@sha256:...)" in done.stderr


def test_changes_that_are_not_committed_are_refused(project: Project) -> None:
    (project.path / "new.txt").write_text("")
    done, calls = project.run("release", "registry.example/operator:7", BASE)
    assert (done.returncode, calls) == (2, [])
    assert "not committed" in done.stderr


def test_the_image_says_what_it_was_made_from(project: Project) -> None:
    done, calls = project.run("release", "registry.example/operator:7", BASE)
    assert (done.returncode, done.stderr) == (0, "")
    revision = project.git("rev-parse", "HEAD").strip()
    labels = {
        "version": "7.1.0",
        "revision": revision,
        "base.name": "python:3.12-slim",
        "base.digest": BASE.partition("@")[2],
    }
    words = [f"--label org.opencontainers.image.{name}={value}" for name, value in labels.items()]
    build = f"build --pull --build-arg BASE={BASE} --tag registry.example/operator:7 {' '.join(words)} ."
    assert calls[:2] == [build, "save registry.example/operator:7"]
    assert done.stdout == "build/operator.cdx.json\nsha256:0123\n"
    assert json.loads(project.listed.read_text())["bomFormat"] == "CycloneDX"


def test_the_list_of_an_image_by_itself(project: Project) -> None:
    done, calls = project.run("sbom")
    assert (done.returncode, calls) == (0, ["save daskjob/operator"])
    assert project.listed.exists()


def test_a_list_that_fails_leaves_the_one_before(project: Project) -> None:
    project.run("sbom")
    before = project.listed.read_text()
    Path(project.environment["ARCHIVE"]).write_text("nothing")
    done, _ = project.run("sbom")
    assert done.returncode == 1
    assert project.listed.read_text() == before


def test_release_says_how_it_is_used(project: Project) -> None:
    done, calls = project.run("release", "registry.example/operator:7")
    assert (done.returncode, calls) == (2, [])
    assert done.stderr.startswith("Usage: release IMAGE BASE@sha256:DIGEST\n")
