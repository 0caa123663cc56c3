"""The scripts for a developer with Docker and kind, run with stand-ins for docker, kind, kubectl, helm and Python.

A stand-in writes down how it was called. What the real programs make of it is not tested here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = ("up", "images", "install", "e2e", "run")
#: Writes its name and arguments to calls.txt; prints what the scripts read.
STAND_IN = """\
#!/usr/bin/env bash
name=$(basename "$0")
echo "$name $*" >>"$CALLS"
case "$name $*" in
"docker image inspect"*) echo sha256:0123 ;;
"kind get clusters") echo "$KIND_HAS" ;;
"kubectl set env"*)
    echo "# Deployment daskjob-operator, container operator"
    echo 'DASKJOB_POD_SECURITY_CONTEXT={"runAsUser": 1000}'
    echo "DASKJOB_LOG_FORMAT=json"
    echo "# DASKJOB_POD_NAME from field path metadata.name" ;;
"python "*) env | grep -E '^(DASKJOB_|KUBECONFIG)' | sort >>"$CALLS" ;;
esac
"""
IMAGES = ("localhost/daskjob/operator:test", "localhost/daskjob/dask-new:test", "localhost/daskjob/dask-old:test")


class Machine:
    """A copy of the scripts in a project of its own, on a machine that has only stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.project, self.calls = folder / "project", folder / "calls.txt"
        shutil.copytree(HERE, self.project / "tests" / "kind", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        programs = folder / "bin"
        python = self.project / ".venv" / "bin" / "python"
        for path in (*(programs / name for name in ("docker", "kind", "kubectl", "helm")), python):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)
            path.chmod(0o755)
        self.home = folder / "home"
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CALLS": str(self.calls),
            "KIND_HAS": "other",
        }

    def run(self, script: str, *arguments: str, **environment: str) -> list[str]:
        """Runs a script, which must succeed. Returns the calls of the stand-ins in their order."""
        self.calls.write_text("")
        command = [self.project / "tests" / "kind" / script, *arguments]
        done = subprocess.run(command, env=self.environment | environment, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout
        return self.calls.read_text().splitlines()

    @property
    def kubeconfig(self) -> str:
        return str(self.home / ".cache" / "daskjob" / "kind-daskjob.kubeconfig")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("name", [*SCRIPTS, "settings"])
def test_bash_can_read_it(name: str) -> None:
    done = subprocess.run(["bash", "-n", HERE / name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_up_creates_the_cluster_once(machine: Machine) -> None:
    create = "kind create cluster --name daskjob --wait 120s"
    assert machine.run("up") == ["kind get clusters", create, "kind export kubeconfig --name daskjob"]
    assert machine.printed == f"export KUBECONFIG={machine.kubeconfig}\n"
    assert create not in machine.run("up", KIND_HAS="daskjob")


def test_images_builds_and_loads_all_three(machine: Machine) -> None:
    calls = machine.run("images")
    assert [call.split()[4] for call in calls[:3]] == list(IMAGES)
    assert calls[3:] == [f"kind load docker-image --name daskjob {' '.join(IMAGES)}"]
    contexts = [Path(call.split()[-1]) for call in calls[:3]]
    assert contexts[0] == machine.project
    for context in contexts[1:]:
        assert (ROOT / context.relative_to(machine.project) / "Dockerfile").exists()


def test_image_names_are_settings(machine: Machine) -> None:
    calls = machine.run("images", DASKJOB_TEST_IMAGES="registry.example/me", DASKJOB_TEST_TAG="7")
    assert calls[-1].split()[-1] == "registry.example/me/dask-old:7"
    [_, call] = machine.run("install", DASKJOB_TEST_IMAGES="registry.example/me", DASKJOB_TEST_TAG="7")
    assert "--set image.repository=registry.example/me/operator,image.tag=7" in call


def test_install_hands_options_on_and_replaces_pods_of_another_image(machine: Machine) -> None:
    [_, call] = machine.run("install", "--set", "log.level=DEBUG")
    assert call.startswith(f"helm upgrade daskjob {machine.project}/charts/daskjob-operator --install")
    assert "operator.podAnnotations.image=sha256:0123,daskController.podAnnotations.image=sha256:0123" in call
    assert call.endswith("--set log.level=DEBUG")


def test_e2e_builds_nothing(machine: Machine) -> None:
    calls = machine.run("e2e", "-k", "cron", KUBECONFIG="/somewhere/else")
    assert calls[1].startswith("python -m pytest tests/e2e ")
    assert calls[1].endswith("-k cron")
    assert calls[2:] == ["DASKJOB_TEST_PREBUILT=sha256:0123", f"KUBECONFIG={machine.kubeconfig}"]


def test_e2e_leaves_out_files_that_exist(machine: Machine) -> None:
    [pattern, path] = re.findall(r"--ignore(?:-glob)?=(\S+)", machine.run("e2e")[1])
    assert list((ROOT / "tests" / "e2e").glob(Path(pattern).name))
    assert (ROOT / path).exists()


def test_run_takes_the_pods_place_and_gives_it_back(machine: Machine) -> None:
    calls = machine.run("run")
    start = calls.index("python -m daskjob")
    assert calls[start - 1].endswith("--replicas=0")
    assert calls[-1].endswith("--replicas=1")
    assert calls[start + 1 : -1] == [
        "DASKJOB_LOG_FORMAT=plain",
        "DASKJOB_LOG_LEVEL=DEBUG",
        "DASKJOB_OPERATOR_NAMESPACE=daskjob-system",
        'DASKJOB_POD_SECURITY_CONTEXT={"runAsUser": 1000}',
        f"KUBECONFIG={machine.kubeconfig}",
    ]


def test_the_makefile_calls_scripts_that_exist() -> None:
    text = (ROOT / "Makefile").read_text()
    called = re.findall(r"(?:^\t|&& )((?:tests|docs|image)/[\w/]+)", text, re.MULTILINE)
    assert {f"tests/kind/{name}" for name in SCRIPTS} <= set(called)
    assert [path for path in called if not os.access(ROOT / path, os.X_OK)] == []


def test_every_target_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert re.findall(r"^([a-z0-9-]+):.* ## \S.*\.$", text, re.MULTILINE) == phony.split()
