"""`submit --working-dir`: all files of a folder go with a script, as far as a job can carry them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from daskjob.cli.documents import InputError

#: What `spec.graph.source.files` takes; the rules are those of crds/daskjobs.yaml, told here before anything is sent.
MOST_FILES, FILE_LENGTH, WHOLE_LENGTH = 256, 262_144, 524_288
PATH = re.compile(r"(?=.{1,200}$)[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
#: Folders that are made, not written. A hidden folder is left out, too, and one with a virtual environment.
GENERATED = frozenset({"__pycache__", "node_modules", "build", "dist"})
#: So many of the largest files, or of those in the way, are named.
NAMED = 5


def files_of(folder: Path) -> dict[str, str]:
    """The texts of a folder's files by their paths there. Left out is what is hidden (.git, .env), what is made, and
    links. Raises InputError that names what cannot be sent."""
    if not folder.is_dir():
        raise InputError(f"--working-dir {folder}: there is no such folder")
    texts: dict[str, str] = {}
    unfit: list[str] = []
    for count, file in enumerate(_files(folder)):
        path = file.relative_to(folder).as_posix()
        if count == 100 * MOST_FILES:
            raise InputError(f"--working-dir {folder}: has more than {count} files: {_remedy()}")
        if not PATH.fullmatch(path):
            unfit.append(f"{path} (a name has letters, digits, '.', '_' and '-' alone)")
        elif file.stat().st_size > 4 * WHOLE_LENGTH:
            unfit.append(f"{path} ({file.stat().st_size} bytes)")
        else:
            try:
                texts[path] = file.read_bytes().decode()
            except OSError as error:
                unfit.append(f"{path} ({error.strerror})")
            except UnicodeDecodeError:
                unfit.append(f"{path} (is no text)")
    if unfit:
        more = f" and {len(unfit) - NAMED} more" if len(unfit) > NAMED else ""
        raise InputError(f"--working-dir {folder}: cannot be sent: {', '.join(unfit[:NAMED])}{more}: {_remedy()}")
    whole = sum(map(len, texts.values()))
    if len(texts) > MOST_FILES or whole > WHOLE_LENGTH or any(len(text) > FILE_LENGTH for text in texts.values()):
        largest = sorted(texts, key=lambda path: -len(texts[path]))[:NAMED]
        raise InputError(
            f"--working-dir {folder}: has {len(texts)} files of {whole} characters together, and a job carries at most "
            f"{MOST_FILES} of {FILE_LENGTH} each, {WHOLE_LENGTH} together. The largest are "
            f"{', '.join(f'{path} ({len(texts[path])})' for path in largest)}: {_remedy()}"
        )
    return texts


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if _goes_along(here / name))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(".pyc") and not (here / name).is_symlink():
                yield here / name


def _goes_along(folder: Path) -> bool:
    generated = folder.name in GENERATED or folder.name.endswith(".egg-info") or (folder / "pyvenv.cfg").exists()
    return not folder.name.startswith(".") and not generated and not folder.is_symlink()


def _remedy() -> str:
    return "move it out of the folder, or have the job fetch the code (spec.graph.source.git or .archive)"
