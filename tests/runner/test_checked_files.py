"""The processes of a job as their containers start them, whose mounted files are not what the pod's spec says."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daskjob.api.runner_report import read_termination_message
from daskjob.manifests.launch import RUN
from daskjob.runner import archive
from daskjob.runner.checked_files import MOST_NAMED, digests_of
from daskjob.wire.report import MESSAGE_BYTES

from ..support.dask_command import dask_command
from .conftest import CODE, Running

FILES = {"m.py": b"import pack\n", "pack/__init__.py": b"", "pack/data.csv": b"1,2\n"}
#: Prints what is imported, and what lies beside it.
SHOWS = """\
import os, sys
import m, pack
print(os.path.relpath(m.__file__, sys.argv[1]), open(os.path.join(os.path.dirname(pack.__file__), "data.csv")).read())
"""


def mount(folder: Path, files: dict[str, bytes], version: str = "1") -> None:
    """Shows files as the kubelet does: links into ..data, which it replaces in one step."""
    folder.mkdir(exist_ok=True)
    data = folder / f"..2026_01_01_00_00_00.{version}"
    for path, content in files.items():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_bytes(content)
    (folder / "..new").symlink_to(data.name)
    (folder / "..new").rename(folder / "..data")
    for name in {path.partition("/")[0] for path in files}:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for each in folder.iterdir():
        if each.is_symlink() and not each.exists():
            each.unlink()


def folder_of(folder: Path, files: dict[str, bytes], uncopied: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a pod's command says about a folder with these files."""
    return {
        "folder": str(folder),
        "object": "Secret sum-1-files",
        "digests": digests_of(files),
        "copy": str(folder.parent / "checked" / folder.name),
        "uncopied": list(uncopied),
    }


class Started:
    """What a process of Dask prints that starts this module, whose pod was to mount the files of `expected`."""

    def __init__(self, place: Path, expected: dict[str, bytes], module: str = SHOWS, meanwhile: str = "") -> None:
        image = place / "image"
        image.mkdir(exist_ok=True)
        (image / "shows.py").write_text(module)
        code = place / "code"
        # After the files were compared, before anything is imported.
        start = "\nsys.argv[0] = program"
        assert start in RUN
        program = RUN.replace(start, f"\nimport os; {meanwhile}{start}") if meanwhile else RUN
        log = place / "termination-log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(image),
            "DASKJOB_RECORD_FOLDER": str(place),
            "DASKJOB_TERMINATION_LOG": str(log),
        }
        mounted, copy = [folder_of(code, expected)], str(place / "checked" / "code")
        command = dask_command(place, "shows", str(place / "checked"), code=copy, mounted=mounted, run=program)
        done = subprocess.run(command, env=environment, cwd=image, capture_output=True, text=True, timeout=60)
        self.code, self.output, self.errors = done.returncode, done.stdout, done.stderr
        self.termination = read_termination_message(log.read_text()) if log.exists() else None

    @property
    def message(self) -> str:
        assert (self.code, self.output) == (1, ""), self.errors
        assert self.termination is not None
        assert self.termination.failure is not None
        assert self.termination.failure.reason == "FilesChanged"
        message = self.termination.failure.message or ""
        assert self.errors == f"daskjob: FilesChanged: {message}\n"
        return message


def test_what_was_compared_is_imported_with_its_files_beside_it(tmp_path: Path) -> None:
    mount(tmp_path / "code", FILES)
    assert Started(tmp_path, FILES).output == "code/m.py 1,2\n\n"


OTHER = b"import os; os._exit(9)\n"
DIGEST = digests_of({"m.py": FILES["m.py"], "n.py": OTHER})
assert isinstance(DIGEST, dict)
CHANGES: dict[str, tuple[dict[str, bytes], str]] = {
    "changed": (
        {**FILES, "m.py": OTHER},
        f"m.py has sha256 {DIGEST['n.py'][:12]} instead of sha256 {DIGEST['m.py'][:12]}.",
    ),
    "added": ({**FILES, "json.py": OTHER}, "json.py was added."),
    "added deeper": ({**FILES, "pack/more.py": OTHER}, "pack/more.py was added."),
    "removed": ({path: FILES[path] for path in FILES if path != "pack/data.csv"}, "pack/data.csv is missing."),
    "emptied": ({**FILES, "m.py": b""}, "m.py has sha256 e3b0c44298fc instead of"),
    "renamed": ({"M.py" if path == "m.py" else path: text for path, text in FILES.items()}, "M.py was added."),
    "all others": ({"x.py": OTHER}, "m.py is missing."),
    "very many": ({**FILES, **{f"x{n}.py": OTHER for n in range(MOST_NAMED)}}, "instead of 3 digests."),
}


@pytest.mark.parametrize(("files", "words"), CHANGES.values(), ids=CHANGES)
def test_nothing_runs_if_a_file_is_not_what_was_meant(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    mount(tmp_path / "code", files)
    message = Started(tmp_path, FILES).message
    assert message.startswith("Secret sum-1-files was changed by somebody: ")
    assert words in message
    assert "Who may create or delete Secrets or ConfigMaps in this namespace can do this" in message
    assert len(message.encode()) <= MESSAGE_BYTES
    assert not (tmp_path / "checked").exists()


def test_one_of_very_many_files(tmp_path: Path) -> None:
    files = {**FILES, **{f"x{number}.py": b"" for number in range(MOST_NAMED)}}
    mount(tmp_path / "code", files)
    assert Started(tmp_path, files).output == "code/m.py 1,2\n\n"
    mount(tmp_path / "code", {**files, "x7.py": OTHER}, "2")
    assert "its files have sha256 " in Started(tmp_path, files).message


def test_a_folder_that_was_replaced_as_the_kubelet_does_it(tmp_path: Path) -> None:
    mount(tmp_path / "code", FILES)
    mount(tmp_path / "code", {**FILES, "pack/__init__.py": OTHER}, "2")
    assert "pack/__init__.py has sha256" in Started(tmp_path, FILES).message


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "m.py is missing" in Started(tmp_path, FILES).message


@pytest.mark.parametrize("how", ["in place", "as the kubelet does it"])
def test_what_is_changed_after_it_was_compared_does_not_run(tmp_path: Path, how: str) -> None:
    mount(tmp_path / "code", FILES)
    real = tmp_path / "code" / "m.py"
    if how == "in place":
        change = f"open({str(real)!r}, 'wb').write({OTHER!r})"
    else:
        mount(tmp_path / "later", {**FILES, "m.py": OTHER})
        code, later = tmp_path / "code", tmp_path / "later"
        change = f"os.rename({str(code)!r}, {str(code) + '-'!r}); os.rename({str(later)!r}, {str(code)!r})"
    assert Started(tmp_path, FILES, meanwhile=change).output == "code/m.py 1,2\n\n"
    assert real.read_bytes() == OTHER, "it was changed in time"


def test_each_start_of_a_container_begins_with_what_was_meant(tmp_path: Path) -> None:
    """Its /tmp and the copies live on, and user code may have written there."""
    mount(tmp_path / "code", FILES)
    Started(tmp_path, FILES)
    copy = tmp_path / "checked" / "code"
    (copy / "m.py").write_bytes(OTHER)
    (copy / "json.py").write_bytes(OTHER)
    (copy / "pack" / "deep").mkdir()
    (copy / "pack" / "deep" / "x").write_bytes(OTHER)
    (copy / "away").symlink_to(tmp_path / "code")
    assert Started(tmp_path, FILES).output == "code/m.py 1,2\n\n"
    assert {str(each.relative_to(copy)) for each in copy.rglob("*") if each.is_file()} - {*FILES} == {
        str(each.relative_to(copy)) for each in copy.rglob("*.pyc")
    }
    assert (tmp_path / "code" / "m.py").read_bytes() == FILES["m.py"], "a link is not followed"


def test_a_tracebacks_lines_can_be_read(tmp_path: Path) -> None:
    files = {**FILES, "m.py": b"# a comment\nraise ValueError('so')\n"}
    mount(tmp_path / "code", files)
    errors = Started(tmp_path, files).errors
    assert f'{tmp_path}/checked/code/m.py", line 2' in errors
    assert "raise ValueError('so')" in errors


@pytest.mark.parametrize("what", ["folder", "copy"])
def test_what_cannot_be_read_or_copied_is_told(tmp_path: Path, what: str) -> None:
    mount(tmp_path / "code", FILES)
    if what == "copy":
        (tmp_path / "checked").write_text("no folder")
        words = "files of Secret sum-1-files cannot be copied in this container: "
    else:
        (tmp_path / "code" / "dangling.py").symlink_to("nowhere")
        words = "Secret sum-1-files cannot be read in this container: "
    started = Started(tmp_path, FILES)
    assert started.code == 1
    assert started.termination is not None
    assert started.termination.failure is not None
    assert (started.termination.failure.reason, words in started.errors) == ("InvalidJob", True)


# The runner.


@pytest.fixture
def run_runner(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Starts the runner as its container does, in a folder of its own. `change` is made to what is mounted, before it
    starts; `program` runs in the place of the runner's."""

    def run(change: Callable[[Path], None] = lambda place: None, program: str = RUN) -> Any:
        cluster = request.getfixturevalue("dask_cluster")
        code = {path.name: path.read_bytes() for path in CODE.glob("*.py")}
        job = {
            "protocol": 1,
            "job": {"namespace": "team", "name": "job", "uid": "11111111-2222"},
            "attempt": 1,
            "report": "job-11111-1",
            "graph": {"entrypoint": "entries:__file__", "args": [], "kwargs": {}, "keys": None},
            "scheduler": {"address": cluster.address, "timeoutSeconds": 30},
            "codePath": str(tmp_path / "checked" / "code"),
            "groups": [{"name": "default"}],
            "limits": {"resultBytes": 262144},
        }
        mounted = {
            "runner": {"runner.pyz": archive.build()},
            "job": {"job.json": json.dumps(job).encode()},
            "code": code,
            "tls": {"tls.crt": b"certificate", "tls.key": b"key"},
        }
        folders = [folder_of(tmp_path / name, files, ("tls.key",)) for name, files in mounted.items()]
        for name, files in mounted.items():
            mount(tmp_path / name, files)
        own = tmp_path / "own"
        own.mkdir()
        change(tmp_path)
        env = {"DASKJOB_JOB_FILE": str(tmp_path / "checked" / "job" / "job.json")}
        running = Running(own, ["-c", program, json.dumps(folders)], job, env)
        try:
            return running.wait()
        finally:
            if running.process.poll() is None:
                running.process.kill()

    return run


def test_the_runner_runs_from_copies(tmp_path: Path, run_runner: Callable[..., Any]) -> None:
    outcome = run_runner()
    assert outcome.value == str(tmp_path / "checked" / "code" / "entries.py")
    copies = tmp_path / "checked"
    assert (copies / "runner" / "runner.pyz").read_bytes() == archive.build()
    assert [each.name for each in (copies / "tls").iterdir()] == ["tls.crt"], "the key is not written to a disk"


def test_a_program_that_is_replaced_after_it_was_compared_does_not_run(
    tmp_path: Path, run_runner: Callable[..., Any]
) -> None:
    """Neither its supervisor, which imports parts of it later, nor its child, which starts from it."""
    target = str(tmp_path / "runner" / "runner.pyz")
    program = RUN.replace("sys.argv[0] = program", f"open({target!r}, 'wb').write(b'no zip'); sys.argv[0] = program")
    assert program != RUN
    assert run_runner(program=program).status["outcome"] == "Succeeded"
    assert Path(target).read_bytes() == b"no zip"


@pytest.mark.parametrize(
    ("folder", "name"), [("runner", "runner.pyz"), ("job", "job.json"), ("code", "entries.py"), ("tls", "tls.key")]
)
def test_a_runner_that_is_not_what_was_meant_does_not_run(
    tmp_path: Path, run_runner: Callable[..., Any], folder: str, name: str
) -> None:
    def change(place: Path) -> None:
        files = {each.name: each.read_bytes() for each in (place / folder).iterdir() if each.is_file()}
        mount(place / folder, {**files, name: files[name] + b"\n"}, "2")

    outcome = run_runner(change)
    assert (outcome.code, outcome.status) == (1, {}), "it has no program to report with"
    failure = outcome.termination["failure"]
    assert failure["reason"] == "FilesChanged"
    assert f"{name} has sha256" in failure["message"]
    assert not (tmp_path / "checked").exists()


def test_the_working_folder_is_no_source_of_the_runners_program(run_runner: Callable[..., Any]) -> None:
    """As where Python is given a program's file."""

    def change(place: Path) -> None:
        for name in ("json", "hashlib", "daskjob"):
            (place / "own" / f"{name}.py").write_text("import os; os._exit(9)")

    assert run_runner(change).status["outcome"] == "Succeeded"
