"""The wheel, installed into empty environments: what each extra brings, and what is said without it."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

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

    def python(self, code: str) -> str:
        return self._run(str(self.folder / "bin" / "python"), "-I", "-c", code).stdout

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


@pytest.mark.parametrize("call", ["load_crds()", "validate({})"])
def test_without_its_extra_a_public_name_says_what_to_install(base: Environment, call: str) -> None:
    code = f"""
import daskjob
try:
    daskjob.{call}
except ImportError as error:
    print(error)
"""
    assert "pip install 'daskjob[validate]'" in base.python(code)


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
    others = ("kopf", "kubernetes", "cryptography", "dask")
    code = f"import importlib.util as u; print([name for name in {others} if u.find_spec(name)])"
    assert cli.python(code) == "[]\n"
