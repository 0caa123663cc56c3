"""A DaskJob of a script or module, such as `my.py:graph` or `package.module:graph`, without a manifest.

The code that the job gets is the file itself and what it imports from beside it: modules of its folder, and so on.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daskjob.api.env_sources import is_env_source, with_env_sources
from daskjob.cli.documents import API_VERSION, Document, InputError
from daskjob.cli.working_folder import files_of

_SCRIPT = re.compile(r"(?P<file>.+\.py)(?::(?P<attribute>.*))?")
_MODULE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<attribute>[A-Za-z_][\w.]*)")
#: The longest part of a job's name that comes from its code: a name has 40 characters, five of them chosen.
_NAME = 34


@dataclass(frozen=True)
class ScriptOptions:
    """What a manifest would say, as given on the command line; None: nothing. `memory`: the limit of each worker;
    `keywords`, `env`: NAME=VALUE; `env_from`: KIND/NAME; `pip`: requirements; `working_dir`: the folder whose files all
    go along."""

    name: str | None = None
    image: str | None = None
    workers: int | None = None
    threads: int | None = None
    memory: str | None = None
    keywords: Sequence[str] = ()
    env: Sequence[str] = ()
    env_from: Sequence[str] = ()
    pip: Sequence[str] = ()
    working_dir: str | None = None

    def are_given(self) -> bool:
        return self != ScriptOptions()


def is_script(path: str) -> bool:
    """Whether it names code and no manifest."""
    return bool(_SCRIPT.fullmatch(path) or (_MODULE.fullmatch(path) and not Path(path).exists()))


def script_job(reference: str, arguments: Sequence[str], options: ScriptOptions) -> Document:
    """The job. `arguments`: of the entry point, each JSON, or else a text. Raises InputError."""
    whole = Path(options.working_dir) if options.working_dir is not None else None
    file, root, attribute = _found(reference) if whole is None else _found_in(reference, whole)
    module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    if not attribute:
        raise InputError(f"{reference}: which part of it is the graph?{_names(file, reference)}")
    if not all(part.isidentifier() for part in module.split(".")):
        raise InputError(f"{file}: no module can have that name: use letters, digits and _")
    code = _Code(root)
    if whole is None:
        code.add(file)
    else:
        code.files = files_of(whole)
        if file.relative_to(root).as_posix() not in code.files:
            raise InputError(f"{file}: does not go along: it is hidden, a link, or in a folder that is left out")
    return Document(reference, 1, _manifest(f"{module}:{attribute}", code.files, arguments, options), root)


def _manifest(
    entrypoint: str, files: dict[str, str], arguments: Sequence[str], options: ScriptOptions
) -> dict[str, Any]:
    graph: dict[str, Any] = {"entrypoint": entrypoint}
    if arguments:
        graph["args"] = [_value(each) for each in arguments]
    if options.keywords:
        graph["kwargs"] = dict(map(_keyword, options.keywords))
    module = entrypoint.partition(":")[0]
    alone = [f"{module}.py"] == list(files)
    graph["source"] = {"inline": files[f"{module}.py"]} if alone else {"files": dict(sorted(files.items()))}
    workers: dict[str, Any] = {}
    if options.workers is not None:
        workers["replicas"] = options.workers
    if options.threads is not None:
        workers["threads"] = options.threads
    if options.memory is not None:
        workers["resources"] = {"limits": {"memory": options.memory}}
    if options.pip:
        graph["pip"] = {"packages": list(options.pip)}
    cluster: dict[str, Any] = {"image": options.image} if options.image else {}
    if options.env:
        cluster["env"] = [{"name": name, "value": value} for name, value in map(_variable, options.env)]
    if workers:
        cluster["workers"] = workers
    odd = next((each for each in options.env_from if not is_env_source(each)), None)
    if odd is not None:
        raise InputError(f"--env-from {odd}: write secret/NAME or configmap/NAME")
    spec = with_env_sources({"graph": graph} | ({"cluster": cluster} if cluster else {}), options.env_from)
    name = re.sub(r"[^a-z0-9]+", "-", module.rpartition(".")[2].lower()).strip("-0123456789")[:_NAME].rstrip("-")
    return {
        "apiVersion": API_VERSION,
        "kind": "DaskJob",
        "metadata": {"name": options.name} if options.name else {"generateName": f"{name or 'job'}-"},
        "spec": spec,
    }


def _found(reference: str) -> tuple[Path, Path, str]:
    """The file, the folder from which it is imported, and the attribute ("": none is given)."""
    script = _SCRIPT.fullmatch(reference)
    if script:
        file = Path(script["file"])
        if not file.is_file():
            raise InputError(f"{file}: there is no such file")
        root = file.parent
        while (root / "__init__.py").is_file() and root.name:
            root = root.parent
        return file, root, script["attribute"] or ""
    module = _MODULE.fullmatch(reference)
    assert module is not None
    parts, root = module["module"].split("."), Path()
    for file in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
        if file.is_file():
            return file, root, module["attribute"]
    raise InputError(
        f"{reference}: there is no {root.joinpath(*parts)}.py here; of code that is in the image, write a manifest "
        "without spec.graph.source (daskjob init)"
    )


def _found_in(reference: str, root: Path) -> tuple[Path, Path, str]:
    """As `_found`, in a folder: the path of the file may begin there, or here."""
    script, module = _SCRIPT.fullmatch(reference), _MODULE.fullmatch(reference)
    if script:
        places = [root / script["file"], Path(script["file"])]
    else:
        assert module is not None
        place = root.joinpath(*module["module"].split("."))
        places = [place.with_suffix(".py"), place / "__init__.py"]
    for file in places:
        if file.is_file() and file.resolve().is_relative_to(root.resolve()):
            found = root / file.resolve().relative_to(root.resolve())
            return found, root, (script or module)["attribute"] or ""  # type: ignore[index]
    raise InputError(f"{reference}: there is no {places[-1 if script else 0]} in the folder of --working-dir, {root}")


def _names(file: Path, reference: str) -> str:
    """What of a file can be meant, as the end of a sentence."""
    tree = _parsed(file.read_bytes())
    names = [each.name for each in tree.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
    path = reference.partition(":")[0]
    shown = " or ".join(f"{path}:{each}" for each in names if not each.startswith("_"))
    return f" write {shown}" if shown else f" write {path}:NAME"


def _parsed(text: bytes) -> ast.Module:
    """Empty if it is no Python of this version: maybe it is of the image's."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--env {text}: write NAME=VALUE")
    return name, value


def _keyword(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InputError(f"--kwarg {text}: write NAME=VALUE")
    return name, _value(value)


@dataclass
class _Code:
    """Modules of a folder by their paths there, and what they import from it."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)

    def add(self, file: Path) -> None:
        path = file.relative_to(self.root)
        if path.as_posix() in self.files:
            return
        try:
            content = file.read_bytes()
            self.files[path.as_posix()] = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: cannot be read: {error}") from None
        package = path.parent.parts
        self._add_module(package)
        for name in _imports(_parsed(content), package):
            self._add_module(name)

    def _add_module(self, name: Sequence[str]) -> None:
        """The module, if the folder has it, and the packages that it is in."""
        for length in range(1, len(name) + 1):
            place = self.root.joinpath(*name[:length])
            for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
                if file.is_file():
                    self.add(file)
                    break
            else:
                if not place.is_dir():
                    return


def _imports(tree: ast.Module, package: Sequence[str]) -> Iterator[Sequence[str]]:
    """The names of the modules that are imported, anywhere in the code; of what is imported from one, too, for it may
    be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".") for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = tuple(package[: len(package) - node.level + 1]) if node.level else ()
            base = (*above, *(node.module.split(".") if node.module else ()))
            yield base
            yield from ((*base, each.name) for each in node.names)
