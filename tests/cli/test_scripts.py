"""A job of a script, without a manifest, and what `daskjob init` writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from daskjob.cli import working_folder
from daskjob.cli.commands import daskjob
from daskjob.cli.documents import InputError
from daskjob.cli.script_manifest import ScriptOptions, is_script, script_job
from daskjob.schema import validate
from daskjob.schema.crds import schema_of

from ..client.played import created
from .scenes import On

GRAPH = "def graph(n, by=1):\n    return [n, by]\n\n\ndef other():\n    pass\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a script in it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"my.py": GRAPH})
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(daskjob, list(arguments), catch_exceptions=False)


def spec(reference: str, *arguments: str, **options: Any) -> dict[str, Any]:
    content = script_job(reference, arguments, ScriptOptions(**options)).content
    assert validate(content) == []
    found: dict[str, Any] = content["spec"]
    return found


def test_the_manifest_of_a_script(folder: Path) -> None:
    done = run("submit", "my.py:graph", "--image", "a/b:1", "--workers", "3", "--dry-run", "-o", "yaml", "--", "7")
    assert done.exit_code == 0
    assert yaml.safe_load(done.stdout) == {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"generateName": "my-"},
        "spec": {
            "graph": {"entrypoint": "my:graph", "args": [7], "source": {"inline": GRAPH}},
            "cluster": {"image": "a/b:1", "workers": {"replicas": 3}},
        },
    }


def test_what_is_printed_can_be_submitted(folder: Path) -> None:
    printed = run("submit", "my.py:graph", "--dry-run", "-o", "yaml").stdout
    write(folder, {"job.yaml": printed})
    assert run("submit", "job.yaml", "--dry-run").exit_code == 0


def test_a_script_is_submitted(folder: Path, on: On) -> None:
    server, submit = on({"create daskjobs": [created]})
    done = submit("submit", "my.py:graph", "--name", "one")
    assert (done.exit_code, done.stdout) == (0, "daskjob.daskjob.io/one created\n")
    assert server.asked[0].body["spec"]["graph"]["source"] == {"inline": GRAPH}


def test_arguments_are_json_or_text(folder: Path) -> None:
    graph = spec("my.py:graph", "1", '{"a": [null]}', "text", '"2"', keywords=("by=x=y", "n=0.5"))["graph"]
    assert graph["args"] == [1, {"a": [None]}, "text", "2"]
    assert graph["kwargs"] == {"by": "x=y", "n": 0.5}
    assert spec("my.py:graph", memory="2Gi", threads=2)["cluster"]["workers"] == {
        "threads": 2,
        "resources": {"limits": {"memory": "2Gi"}},
    }


def test_variables_and_packages(folder: Path) -> None:
    command = "submit my.py:graph --env A=x=y --env B= --env-from secret/db --pip x==1 --pip y --dry-run -o yaml"
    found = yaml.safe_load(run(*command.split()).stdout)["spec"]
    assert found["cluster"]["env"] == [{"name": "A", "value": "x=y"}, {"name": "B", "value": ""}]
    assert found["graph"]["pip"] == {"packages": ["x==1", "y"]}
    parts = {
        "scheduler": found["cluster"]["scheduler"],
        "worker": found["cluster"]["workers"],
        "runner": found["runner"],
    }
    for name, part in parts.items():
        assert part["template"]["spec"]["containers"] == [{"name": name, "envFrom": [{"secretRef": {"name": "db"}}]}]
    for option, words in (
        ("--env=A", "--env A: write NAME=VALUE"),
        ("--env-from=db", "--env-from db: write secret/NAME"),
    ):
        done = run("submit", "my.py:graph", option, "--dry-run")
        assert (done.exit_code, words in done.stderr) == (2, True)


def test_what_it_imports_from_beside_it_comes_with_it(folder: Path) -> None:
    """Modules and packages, at any place of the code, however deep; nothing else of the folder."""
    files = {
        "main.py": "import dask, one\nfrom pkg import two\n\n\ndef graph():\n    import late\n",
        "one.py": "import main",
        "late.py": "from plain.deep import thing",
        "pkg/__init__.py": "",
        "pkg/two.py": "from . import three\nfrom .sub.four import x",
        "pkg/three.py": "1",
        "pkg/sub/__init__.py": "1",
        "pkg/sub/four.py": "from ..five import y",
        "pkg/five.py": "1",
        "plain/deep.py": "1",
    }
    write(folder, {**files, "unused.py": "1", "pkg/unused.py": "1", "json/__init__.py": "1"})
    assert spec("main.py:graph")["graph"]["source"] == {"files": dict(sorted(files.items()))}


def test_a_whole_folder_goes_along(folder: Path) -> None:
    """Data files too, and none that is hidden or made."""
    files = {"train.py": GRAPH, "data/cities.csv": "a,b\n", "lib/one.py": "1", "builds.txt": ""}
    left = [".git/config", ".env", "lib/__pycache__/one.pyc", "venv/pyvenv.cfg", "venv/x.py", "x.egg-info/a", "a.pyc"]
    left += ["node_modules/a.js", "build/b.py", "dist/c.py"]
    write(folder / "proj", {**files, **dict.fromkeys(left, "1")})
    (folder / "proj" / "outside.py").symlink_to(folder / "my.py")
    for reference in ("train.py:graph", "proj/train.py:graph", str(folder / "proj" / "train.py:graph")):
        graph = spec(reference, working_dir="proj")["graph"]
        assert graph["source"] == {"files": files}, reference
        assert graph["entrypoint"] == "train:graph"
    assert spec("lib.one:graph", working_dir="proj")["graph"]["entrypoint"] == "lib.one:graph"
    assert spec("lib/one.py:graph", working_dir="proj")["graph"]["entrypoint"] == "lib.one:graph"
    done = run("submit", "train.py:graph", "--working-dir", "proj", "--dry-run", "-o", "yaml")
    assert yaml.safe_load(done.stdout)["spec"]["graph"]["source"] == {"files": files}


@pytest.mark.parametrize(
    ("files", "reference", "words"),
    [
        ({}, "my.py:graph", r"my\.py:graph: there is no my\.py in the folder of --working-dir, proj"),
        ({}, "no.such:graph", r"there is no proj/no/such\.py in the folder"),
        (
            {"a.py": "1", "b c.txt": "", "d": "\x00" * (3 << 20)},
            "a.py:g",
            r"cannot be sent: b c\.txt \(.*, d \(3145728 by",
        ),
        ({"a.py": "1", **{f"{n}.txt": "" for n in range(256)}}, "a.py:g", "has 257 files .* a job carries at most 256"),
        (
            {"a.py": "1", "big": "x" * 262_145, "b": "12"},
            "a.py:g",
            r"The largest are big \(262145\), b \(2\), a\.py \(1\): mov",
        ),
        ({"a.py": "1", **{f"{n}.txt": "x" * 200_000 for n in range(3)}}, "a.py:g", "600001 characters together"),
        (
            {"build/a.py": "1"},
            "build/a.py:g",
            "does not go along: it is hidden, a link, or in a folder that is left out",
        ),
    ],
)
def test_a_folder_that_cannot_go_along(folder: Path, files: dict[str, str], reference: str, words: str) -> None:
    write(folder / "proj", {"here.py": "1"} | files)
    (folder / "proj" / "here.py").unlink()
    done = run("submit", reference, "--working-dir", "proj", "--image", "i")
    assert done.exit_code == 2
    assert re.search(words, done.stderr), done.stderr


def test_files_that_are_no_text_are_named(folder: Path) -> None:
    write(folder / "proj", {"a.py": "1"})
    for number in range(7):
        (folder / "proj" / f"{number}.bin").write_bytes(b"\xff\xfe")
    done = run("submit", "a.py:graph", "--working-dir", "proj")
    assert "0.bin (is no text), 1.bin (is no text)" in done.stderr
    assert "4.bin (is no text) and 2 more: move it out of the folder" in done.stderr


def test_what_a_folder_may_hold_is_what_a_job_carries() -> None:
    """The rules stand in the definition, too."""
    files = schema_of("DaskJob")["properties"]["spec"]["properties"]["graph"]["properties"]["source"]["properties"][
        "files"
    ]
    rules = " ".join(each["rule"] for each in files["x-kubernetes-validations"])
    assert files["maxProperties"] == working_folder.MOST_FILES
    assert files["additionalProperties"]["maxLength"] == working_folder.FILE_LENGTH
    assert f"<= {working_folder.WHOLE_LENGTH}" in rules
    assert "path.size() <= 200 && path.matches('^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$')" in rules


def test_a_module_of_a_package(folder: Path) -> None:
    write(folder, {"pkg/__init__.py": "1", "pkg/mod.py": "import my\nfrom . import other", "pkg/other.py": "1"})
    for reference in ("pkg.mod:graph", "pkg/mod.py:graph", str(folder / "pkg" / "mod.py:graph")):
        graph = spec(reference)["graph"]
        assert graph["entrypoint"] == "pkg.mod:graph"
        assert sorted(graph["source"]["files"]) == ["my.py", "pkg/__init__.py", "pkg/mod.py", "pkg/other.py"]


def test_code_of_another_version_of_python_goes_as_it_is(folder: Path) -> None:
    write(folder, {"newer.py": "graph = lambda: (yield from match match)\n"})
    assert spec("newer.py:graph")["graph"]["source"] == {"inline": "graph = lambda: (yield from match match)\n"}


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("my.py", "write my.py:graph or my.py:other"),
        ("none.py:graph", "there is no such file"),
        ("none.such:graph", "there is no none/such.py here"),
        ("my-own.py:graph", "no module can have that name"),
        ("binary.py:graph", "cannot be read"),
    ],
)
def test_what_is_no_script(folder: Path, reference: str, words: str) -> None:
    write(folder, {"my-own.py": GRAPH})
    (folder / "binary.py").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=words):
        script_job(reference, (), ScriptOptions())
    done = run("submit", reference)
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["my.py:graph", "--kwarg", "1=2"], "write NAME=VALUE"),
        (["my.py:1", "--dry-run"], "write package.module:attribute"),
        (["my.py:graph", "--dry-run", "--memory", "much"], "write a quantity"),
        (["my.py:graph", "--dry-run", "--name", "A B"], "metadata.name"),
        (["job.yaml", "--workers", "2"], "leave the options out"),
    ],
)
def test_options_that_do_not_fit(folder: Path, arguments: list[str], words: str) -> None:
    done = run("submit", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_manifest_is_no_script() -> None:
    assert [each for each in ("job.yaml", "a/b.json", "-", ".", "jobs", "py") if is_script(each)] == []


def test_init(folder: Path) -> None:
    done = run("init", "first", "--image", "a/b:1")
    assert (done.exit_code, done.stdout) == (0, "wrote first/graph.py\nwrote first/job.yaml\n")
    manifest = yaml.safe_load((folder / "first" / "job.yaml").read_text())
    assert validate(manifest) == []
    assert manifest["spec"]["graph"]["source"]["inline"] == (folder / "first" / "graph.py").read_text()
    assert manifest["spec"]["cluster"]["image"] == "a/b:1"
    code = manifest["spec"]["graph"]["source"]["inline"]
    own = [each for each in (folder / "first" / "job.yaml").read_text().splitlines() if each.strip() not in code]
    assert len(own) <= 13
    assert max(map(len, own)) <= 120


def test_init_without_an_image(folder: Path) -> None:
    run("init")
    manifest = yaml.safe_load((folder / "job.yaml").read_text())
    assert validate(manifest) == []
    assert "image" not in manifest["spec"]["cluster"]
    assert run("submit", "job.yaml", "--dry-run").exit_code == 0
    assert run("submit", "graph.py:graph", "100", "--dry-run").exit_code == 0


@pytest.mark.parametrize("existing", ["job.yaml", "graph.py"])
def test_init_never_overwrites(folder: Path, existing: str) -> None:
    write(folder, {existing: "mine"})
    done = run("init")
    assert done.exit_code == 2
    assert f"{existing}: exists already" in done.stderr
    assert (folder / existing).read_text() == "mine"
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("arguments", [["--name", "A"], ["--name", "a: b"], ["--image", ": x"], ["--image", ""]])
def test_init_with_a_name_that_is_none(folder: Path, arguments: list[str]) -> None:
    done = run("init", "new", *arguments)
    assert (done.exit_code, (folder / "new").exists()) == ((0, True) if arguments[1] == "" else (2, False))
