"""Reads manifests: files, several documents in one, folders, standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from daskjob.api.generated_names import generated_name
from daskjob.cli.yaml_bounds import CHARACTERS, BoundsError, check_bounds

API_VERSION = "daskjob.io/v1alpha1"
#: What can be run and checked.
KINDS = ("DaskJob", "DaskCronJob")
SUFFIXES = (".yaml", ".yml", ".json")


class InputError(Exception):
    """What was given cannot be read as manifests; the message says where and why."""


@dataclass(frozen=True)
class Document:
    """One YAML document. `file`: as to be shown; `number`: counts from 1 in its file."""

    file: str
    number: int
    content: Any
    #: The folder whose other files may hold what it refers to.
    folder: Path | None

    @property
    def kind(self) -> str:
        return str(self.content.get("kind") or "") if isinstance(self.content, Mapping) else ""

    @property
    def name(self) -> str:
        metadata = self.content.get("metadata") if isinstance(self.content, Mapping) else None
        return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""

    @property
    def namespace(self) -> str:
        metadata = self.content.get("metadata") if isinstance(self.content, Mapping) else None
        return str((metadata.get("namespace") if isinstance(metadata, Mapping) else None) or "default")

    @property
    def title(self) -> str:
        """`job.yaml: document 2 (square-sum)`."""
        return f"{self.file}: document {self.number}" + (f" ({self.name})" if self.name else "")


def named(document: Document) -> Document:
    """With a name as an API server would choose it, if it is to be generated."""
    if document.name:
        return document
    metadata = dict(document.content["metadata"])
    metadata["name"] = generated_name(str(metadata.pop("generateName")))
    return replace(document, content={**document.content, "metadata": metadata})


_TAG = "tag:yaml.org,2002:"
#: The most characters of a number. A float has up to 24, and Kubernetes rounds integers of more than 20.
_NUMBER = 100


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Like the API server: a key given twice is an error, and what looks like a date, or like minutes and seconds, is
    text."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)
        # In YAML 1.1, 12:30 is a number to the base of 60.
        return f"{_TAG}str" if tag in (f"{_TAG}int", f"{_TAG}float") and ":" in value else tag

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """Raises ConstructorError for a long one: Python takes long to read it, and cannot write it."""
        problem = None
        if len(node.value) > _NUMBER:
            problem = f"a number of {len(node.value)} characters: put it in quotes"
        elif ":" in node.value:
            problem = f"{node.value!r} is no number: put it in quotes"
        if problem is not None:
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        read = self.construct_yaml_int if node.tag == f"{_TAG}int" else self.construct_yaml_float
        number: int | float = read(node)
        return number

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if key.tag == f"{_TAG}merge" or not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            keys.add((key.tag, key.value))
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
for _kind in ("int", "float"):
    _Loader.add_constructor(f"{_TAG}{_kind}", _Loader.construct_number)


def load_jobs(paths: Sequence[str], *, recursive: bool = False) -> tuple[list[Document], list[Document]]:
    """(the DaskJobs and DaskCronJobs, in order; everything else that was read). Raises InputError.

    In a folder only YAML and JSON files count, and of these only documents that are manifests. A file that is named
    must hold manifests and at least one job or cron job.
    """
    jobs: list[Document] = []
    others: list[Document] = []
    for path in paths:
        before = len(jobs)
        for document in _read_path(path, recursive):
            (jobs if _is_job(document) else others).append(document)
        if len(jobs) == before:
            raise InputError(f"{path}: no DaskJob in it; {_hint(path, recursive)}")
    return jobs, others


def _is_job(document: Document) -> bool:
    """Whether it is a job or a cron job, or was meant as one: the check of the manifest tells what is wrong with the
    kind."""
    meant = document.kind.lower().removesuffix("s") in [each.lower() for each in KINDS]
    version = document.content.get("apiVersion") if isinstance(document.content, Mapping) else None
    return meant or str(version).startswith(f"{API_VERSION.partition('/')[0]}/")


def find_config_map(job: Document, others: Sequence[Document], name: str) -> Mapping[str, Any] | None:
    """A ConfigMap of that name for a job: in what was read, or else in another file of the job's folder."""
    read = {other.file for other in others} | {job.file}
    for document in (*others, *_siblings(job, read)):
        if document.kind == "ConfigMap" and (document.name, document.namespace) == (name, job.namespace):
            content: Mapping[str, Any] = document.content
            return content
    return None


def _siblings(job: Document, read: set[str]) -> Iterator[Document]:
    for file in _files(job.folder, False) if job.folder is not None else ():
        if str(file) not in read:
            try:
                yield from _read_file(file, strict=False)
            except InputError:
                continue  # not what was asked for


def _read_path(path: str, recursive: bool) -> Iterator[Document]:
    if path == "-":
        try:
            text = sys.stdin.read(CHARACTERS + 1)
        except UnicodeDecodeError as error:
            raise InputError(f"stdin: cannot be read: {error}") from None
        yield from _parse(text, "stdin", Path.cwd(), strict=True)
    elif Path(path).is_dir():
        for file in _files(Path(path), recursive):
            yield from _read_file(file, strict=False)
    else:
        yield from _read_file(Path(path), strict=True)


def _files(folder: Path, recursive: bool) -> list[Path]:
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(file for file in found if file.suffix in SUFFIXES and file.is_file())


def _read_file(file: Path, *, strict: bool) -> Iterator[Document]:
    try:
        with file.open(encoding="utf-8") as opened:
            # One more than are allowed is enough to refuse it.
            text = opened.read(CHARACTERS + 1)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file or folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    yield from _parse(text, str(file), file.parent, strict=strict)


def _parse(text: str, file: str, folder: Path, *, strict: bool) -> Iterator[Document]:
    try:
        check_bounds(text, _Loader)
        contents = list(yaml.load_all(text, Loader=_Loader))
    except BoundsError as error:
        raise InputError(f"{file}:{error.line}: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else file
        problem = str(getattr(error, "problem", None) or error)
        raise InputError(f"{where}: not YAML: {problem}{_yaml_hint(text, mark)}") from None
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML's own, for a value that its tag does not fit (!!bool maybe) and for numbers of thousands of digits.
        raise InputError(f"{file}: has a value that cannot be read: {str(error).partition(';')[0]}") from None
    number = 0
    for content in contents:
        if content is None:
            continue  # nothing between two ---
        number += 1
        if isinstance(content, Mapping) and content.get("kind") == "List" and isinstance(content.get("items"), list):
            for item in content["items"]:
                yield Document(file, number, item, folder)
            continue
        document = Document(file, number, content, folder)
        if not document.kind and strict:
            raise InputError(
                f"{document.title}: not a manifest: it has no kind; begin with apiVersion: {API_VERSION} and "
                "kind: DaskJob"
            )
        if document.kind:
            yield document


def _yaml_hint(text: str, mark: yaml.Mark | None) -> str:
    """What to write instead of what people often write where a YAML file ends to be one."""
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    before, here = (line[: mark.column], line[mark.column :]) if mark is not None else ("", "")
    if here.startswith("\t") or (not before.strip() and "\t" in before):
        return ": indent with blanks, not with tabs"
    if "{{" in line:
        return ": a template of Helm is no YAML yet; render it first (helm template)"
    if before.rstrip().endswith((":", "-", ",", "[", "*")) and line.lstrip().strip() and "*" in line:
        return ": put a text that begins with * into quotes"
    return ""


def _hint(path: str, recursive: bool) -> str:
    if path != "-" and Path(path).is_dir() and not recursive:
        return "use -R to look into its folders too"
    return f"a DaskJob begins with apiVersion: {API_VERSION} and kind: DaskJob"
