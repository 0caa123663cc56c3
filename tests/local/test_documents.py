from __future__ import annotations

import io
import time
from itertools import pairwise
from pathlib import Path

import pytest

from daskjob.cli.documents import InputError, find_config_map, load_jobs
from daskjob.schema import validate

JOB = "apiVersion: daskjob.io/v1alpha1\nkind: DaskJob\nmetadata: {name: %s}\nspec: {graph: {entrypoint: 'a:b'}}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a.py: ''}\n"


LETTERS = "abcdefghijkl"
LONG = "x" * 100_000


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


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("apiVersion: daskjob.io/v1alpha1\nkind: DaskJobs", 'not "DaskJobs"'),
        ("apiVersion: daskjob.io/v1alpha1\nkind: Job", 'not "Job"'),
        ("apiVersion: batch/v1\nkind: daskjob", 'not "daskjob"'),
        ("apiVersion: kubernetes.dask.org/v1\nkind: DaskJob", 'must be daskjob.io/v1alpha1, not "kubernetes.dask'),
    ],
)
def test_what_was_meant_as_a_job_is_not_passed_over(tmp_path: Path, head: str, words: str) -> None:
    (tmp_path / "jobs.yaml").write_text(f"{JOB % 'good'}---\n{head}\nmetadata: {{name: bad}}\n")
    (_, bad), others = load_jobs([str(tmp_path / "jobs.yaml")])
    assert others == []
    [problem] = validate(bad.content)
    assert words in problem.message


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


def test_standard_input_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    with pytest.raises(InputError, match="stdin: cannot be read: 'utf-8' codec"):
        load_jobs(["-"])


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
        ("kind: DaskJob\na: !!bool maybe\n", r"job.yaml: has a value that cannot be read: 'maybe'"),
        (
            f"kind: DaskJob\na: {'9' * 5000}\n",
            r"job.yaml:2:4: not YAML: a number of 5000 characters: put it in quotes$",
        ),
        (f"kind: DaskJob\na: 0x{'f' * 5000}\n", r"job.yaml:2:4: not YAML: a number of 5002 characters"),
        (f"kind: DaskJob\na: .{'9' * 5000}\n", r"job.yaml:2:4: not YAML: a number of 5001 characters"),
        ("kind: DaskJob\na: !!int '1:30'\n", r"job.yaml:2:4: not YAML: '1:30' is no number: put it in quotes"),
        (f"kind: DaskJob\na: !!float '1{':59' * 30000}'\n", r"job.yaml:2:4: not YAML: a number of 90001 characters"),
        ("kind: DaskJob\n? [a]\n: b\n", r"job.yaml:2:3: not YAML: found unhashable key"),
        ("kind: DaskJob\n{a: b}: c\n", r"not YAML"),
        (
            "kind: DaskJob\na: !!python/object/apply:os.getcwd []\n",
            r"job.yaml:2:4: not YAML: could not determine a con",
        ),
        ("kind: DaskJob\na:\n\tb: 1\n", r"job.yaml:3:1: not YAML: .*: indent with blanks, not with tabs$"),
        ("metadata: {name: {{ .Release.Name }}}\n", r"not YAML: .*; render it first \(helm template\)$"),
        (
            "spec: {schedule: */5 * * * *}\n",
            r"job.yaml:1:19: not YAML: .*: put a text that begins with \* into quotes$",
        ),
        ("spec:\n  schedule: * 3 * * *\n", r"not YAML: .*: put a text that begins with \* into quotes$"),
        ("kind: DaskJob\na: *b\n", r"job.yaml:2:4: not YAML: found undefined alias"),
    ],
)
def test_unreadable(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_jobs([str(tmp_path / "job.yaml")])


def bomb(lists: int) -> str:
    """Lists of ten aliases of the list before: ten to the power of `lists` values."""
    lines = [f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairwise(LETTERS[:lists])]
    return "\n".join(["kind: DaskJob", f"a: &a [{', '.join('x' * 10)}]", *lines, ""])


def merges(mappings: int) -> str:
    """Mappings that each merge the one before ten times."""
    lines = [
        f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 10)}]}}" for before, name in pairwise(LETTERS[:mappings])
    ]
    return "\n".join(["kind: DaskJob", f"a: &a {{{', '.join(f'k{number}: 1' for number in range(10))}}}", *lines, ""])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(12), r"job.yaml:6: aliases repeat more than 100000 values"),
        ("kind: DaskJob\na: &a [x]\nb:\n- *a\n" + "- *a\n" * 60_000, r"aliases repeat more than"),
        ("kind: DaskJob\na: &a {b: [*a]}\n", r"job.yaml:2: \*a contains itself"),
        (f"kind: DaskJob\na: {'[' * 103}{']' * 103}\n", r"job.yaml:2: lies more than 102 levels deep"),
        (f"kind: DaskJob\na: {'[' * 9990}{']' * 9990}\n", r"not YAML: exceeded maximum nesting depth|levels deep"),
        ("\n".join(" " * level + "a:" for level in range(500)), r"job.yaml:103: lies more than 102 levels deep"),
        (
            f"kind: DaskJob\na: &a {'[' * 60}{']' * 60}\nb: {'[' * 60}*a{']' * 60}\n",
            r"job.yaml:3: lies more than 102 levels deep",
        ),
        ("kind: DaskJob\na: &a {<<: *a}\n", r"job.yaml:2: \*a contains itself"),
        (merges(8), r"job.yaml:6: aliases repeat more than 100000 values"),
        (
            f"kind: DaskJob\na: &a {LONG}\nb: [{'*a,' * 1000}]\n",
            r"job.yaml:3: aliases repeat more than 8388608 charact",
        ),
        (
            f"kind: DaskJob\n? &a {LONG[:9]}\n: [{'*a,' * 100_001}]\n",
            r"job.yaml:3: aliases repeat more than 100000 val",
        ),
        (
            f"kind: DaskJob\na: [{'1,' * 500_001}]\n",
            r"job.yaml:2: is beyond the first 500000 values of the file: split",
        ),
        (f"kind: DaskJob\n{'---' + chr(10)}" * 300_000, r"is beyond the first 500000 values of the file"),
        (f"kind: DaskJob\na: {LONG * 84}\n", r"job.yaml:1: has more than 8388608 characters: split it"),
        (f"kind: DaskJob\n{'#' * 2**23}\n", r"job.yaml:1: has more than 8388608 characters"),
        (
            '{"kind": "DaskJob", "a": ' + "[" * 9990 + "]" * 9990 + "}",
            r"not YAML: exceeded maximum nesting|levels deep",
        ),
    ],
    ids=[
        *("aliases of aliases", "aliases", "itself", "deep", "very deep", "deep block", "deep by an alias"),
        *("merges itself", "merges of merges", "long text by aliases", "anchor in a key", "values", "documents"),
        *("long text", "long comment", "JSON"),
    ],
)
def test_bounds(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(text)
    began = time.process_time()
    with pytest.raises(InputError, match=message):
        load_jobs([str(tmp_path / "job.yaml")])
    assert time.process_time() - began < 2


def test_minutes_and_seconds_stay_text(tmp_path: Path) -> None:
    """To the API server, YAML has no numbers to the base of 60."""
    (tmp_path / "job.yaml").write_text(f"kind: DaskJob\na: [12:30, 1:30.5, 0x1f, 1_000, 1e3{', 1' + ':59' * 50_000}]\n")
    (job,), _ = load_jobs([str(tmp_path / "job.yaml")])
    assert job.content["a"][:5] == ["12:30", "1:30.5", 31, 1000, "1e3"]
    assert job.content["a"][5].startswith("1:59")


def test_aliases_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(bomb(4) + "---\nkind: DaskJob\na: &a {x: 1}\nb: {<<: *a}\n")
    first, second = load_jobs([str(tmp_path / "job.yaml")])[0]
    assert len(first.content["d"][9][9]) == 10
    assert second.content["b"] == {"x": 1}


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
