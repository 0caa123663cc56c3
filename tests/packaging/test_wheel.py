"""The wheel, installed into empty environments: what each extra brings, and what is said without it."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..client.played import Played, job, listed, status

ROOT = Path(__file__).resolve().parents[2]
NOW = "2026-03-01T12:00:00Z"
JOB = ROOT / "jobs" / "01-square-sum" / "job.yaml"


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own."""

    folder: Path

    def install(self, requirement: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.folder / "bin" / "python")]
        subprocess.run([*pip, "install", "-q", "--disable-pip-version-check", requirement], check=True, timeout=600)

    def python(self, code: str, *arguments: str) -> str:
        return self._run(str(self.folder / "bin" / "python"), "-I", "-c", code, *arguments).stdout

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(str(self.folder / "bin" / "daskjob"), *arguments, check=False)

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, check=check, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=600)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder, with_pip=False)
    environment = Environment(folder)
    environment.install(str(wheel))
    return environment


@pytest.fixture(scope="module")
def cli(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("cli")
    venv.create(folder, with_pip=False)
    environment = Environment(folder)
    environment.install(f"{wheel}[cli]")
    return environment


@pytest.fixture(scope="module")
def oldest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With the oldest version of the `kubernetes` package that the client promises to work with."""
    folder = tmp_path_factory.mktemp("oldest")
    venv.create(folder, with_pip=False)
    environment = Environment(folder)
    environment.install("kubernetes==29.0.0")
    environment.install(f"{wheel}[client]")
    return environment


def test_the_base_needs_nothing_but_python(base: Environment) -> None:
    code = """
import sys, daskjob, daskjob.api.spec, daskjob.api.status, daskjob.wire, daskjob.results.codec, daskjob.sources
assert daskjob.decode("[1]", {"": "tuple"}) == (1,)
print([name for name in sys.modules if "site-packages" in (getattr(sys.modules[name], "__file__", "") or "")
       and name.partition(".")[0] != "daskjob"])
"""
    assert base.python(code) == "[]\n"


def test_importing_the_package_loads_none_of_it(base: Environment) -> None:
    code = "import sys, daskjob; print([name for name in sys.modules if name.startswith('daskjob.')])"
    assert base.python(code) == "[]\n"


def test_without_its_extra_the_command_says_what_to_install(base: Environment) -> None:
    done = base.command("validate", str(JOB))
    assert done.returncode == 2
    assert "pip install 'daskjob[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


A_JOB = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob"}


@pytest.mark.parametrize("call", ["load_crds()", f"validate({A_JOB})"], ids=["load_crds", "validate"])
def test_without_its_extra_a_public_name_says_what_to_install(base: Environment, call: str) -> None:
    code = f"""
import daskjob
try:
    daskjob.{call}
except ImportError as error:
    print(error)
"""
    assert "pip install 'daskjob[validate]'" in base.python(code)


LIST = """
import sys
from daskjob.client.credentials import Target
from daskjob.client.job_client import JobClient
print([job["metadata"]["name"] for job in JobClient(Target(kubeconfig=sys.argv[1])).list_objects()])
print({"kopf", "dask", "click", "rich"} & set(sys.modules))
"""


@pytest.mark.parametrize("environment", ["cli", "oldest"])
def test_the_client_works_with_the_oldest_and_the_newest_kubernetes(
    environment: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """It has no upper bound."""
    chosen: Environment = request.getfixturevalue(environment)
    refused = status(401, "Unauthorized", "the token has run out")
    server = Played({"list daskjobs": [refused, listed(job())]})
    try:
        printed = chosen.python(LIST, str(server.kubeconfig(tmp_path)))
    finally:
        server.close()
    assert printed == "['one']\nset()\n"


def test_without_its_extra_the_client_says_what_to_install(base: Environment) -> None:
    code = """
from daskjob.client.job_client import JobClient
try:
    JobClient()
except ImportError as error:
    print(error)
"""
    assert "pip install 'daskjob[client]'" in base.python(code)


def test_the_command_line_is_a_plugin_of_kubectl(cli: Environment, tmp_path: Path) -> None:
    """kubectl runs `kubectl-daskjob`, and asks `kubectl_complete-daskjob` for what may follow."""
    plugin, completion = (str(cli.folder / "bin" / each) for each in ("kubectl-daskjob", "kubectl_complete-daskjob"))
    assert cli._run(plugin, "--help").stdout.startswith("Usage: kubectl daskjob [OPTIONS]")
    assert cli._run(completion, "susp").stdout == "suspend\n:4\n"


def test_the_command_line_validates(cli: Environment) -> None:
    done = cli.command("validate", str(JOB))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("valid\n")


def test_the_command_line_explains(cli: Environment, tmp_path: Path) -> None:
    spec = {"graph": {"entrypoint": "m:f"}, "cluster": {"image": "i"}, "cancel": True}
    job = {"namespace": "team", "name": "sum", "uid": "u", "generation": 1, "created": NOW, "deleting": False}
    file = tmp_path / "observation.json"
    file.write_text(json.dumps({"now": NOW, "job": {**job, "spec": spec}}))
    done = cli.command("explain", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "  cancelled_while_waiting: " in done.stdout


def test_without_dask_no_job_is_run(cli: Environment) -> None:
    done = cli.command("run", str(JOB))
    assert done.returncode == 2
    assert "pip install 'daskjob[local]'" in done.stderr


def test_the_command_line_brings_no_operator(cli: Environment) -> None:
    others = ("kopf", "prometheus_client", "cryptography", "dask")
    code = f"import importlib.util as u; print([name for name in {others} if u.find_spec(name)])"
    assert cli.python(code) == "[]\n"
