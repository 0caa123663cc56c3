from __future__ import annotations

import io
from pathlib import Path

import pytest

from daskjob.cli.documents import InputError, find_config_map, load_jobs

JOB = "apiVersion: daskjob.io/v1alpha1\nkind: DaskJob\nmetadata: {name: %s}\nspec: {graph: {entrypoint: 'a:b'}}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a.py: ''}\n"


def names(folder: Path, *paths: str, recursive: bool = False) -> list[str]:
    jobs, _ = load_jobs([str(folder / path) for path in paths], recursive=recursive)
    return [job.name for job in jobs]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.yaml").write_text("---\n" + JOB % "one" + "---\n" + CONFIG_MAP % "code" + "---\n" + JOB % "two")
    (tmp_path / "a.yml").write_text(JOB % "zero")
    (tmp_path / "expected.yaml").write_text("phase: Succeeded\n")
    (tmp_path / "notes.txt").write_text("not a manifest")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.json").write_text(
        '{"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": "three"}}'
    )
    return tmp_path


def test_several_documents(folder: Path) -> None:
    jobs, others = load_jobs([str(folder / "b.yaml")])
    assert [(job.name, job.number) for job in jobs] == [("one", 1), ("two", 3)]
    assert [other.kind for other in others] == ["ConfigMap"]
    assert jobs[1].title == f"{folder / 'b.yaml'}: document 3 (two)"


def test_folder(folder: Path) -> None:
    assert names(folder, ".") == ["zero", "one", "two"]
    assert names(folder, ".", recursive=True) == ["zero", "one", "two", "three"]
    assert names(folder, "deeper", "a.yml") == ["three", "zero"]


def test_list(tmp_path: Path) -> None:
    items = "".join(f"- {{kind: DaskJob, metadata: {{name: {name}}}}}\n" for name in ("x", "y"))
    (tmp_path / "list.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert names(tmp_path, "list.yaml") == ["x", "y"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(JOB % "piped"))
    (job,), _ = load_jobs(["-"])
    assert job.title == "stdin: document 1 (piped)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c", r"job.yaml:1:5: not YAML: mapping values"),
        ("a: 1\na: 2\n", r"job.yaml:2:1: not YAML: the key 'a' is given twice"),
        ("spec: {}\n", r"job.yaml: document 1: not a manifest: it has no kind"),
        ("just text\n", r"not a manifest"),
        ("", r"no DaskJob in it; a DaskJob begins with apiVersion"),
        (CONFIG_MAP % "x", r"no DaskJob in it"),
        ("a: \x01\n", r"not YAML"),
    ],
)
def test_unreadable(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_jobs([str(tmp_path / "job.yaml")])


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file or folder"):
        load_jobs([str(tmp_path / "job.yaml")])
    with pytest.raises(InputError, match="use -R to look into its folders too"):
        load_jobs([str(tmp_path)])


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_jobs([str(tmp_path / "job.yaml")])


def test_dates_stay_text(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("kind: DaskJob\nspec: {when: 2026-01-31}\n")
    (job,), _ = load_jobs([str(tmp_path / "job.yaml")])
    assert job.content["spec"]["when"] == "2026-01-31"


def test_config_map_in_the_same_file_or_another_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB % "one" + "---\n" + CONFIG_MAP % "near")
    (tmp_path / "code.yaml").write_text(CONFIG_MAP % "far" + "---\n" + (CONFIG_MAP % "x, namespace: other"))
    (tmp_path / "broken.yaml").write_text("a: [")
    (job,), others = load_jobs([str(tmp_path / "job.yaml")])

    def found(name: str) -> bool:
        return find_config_map(job, others, name) is not None

    assert found("near")
    assert found("far")
    assert not found("x")
    assert not found("none")
