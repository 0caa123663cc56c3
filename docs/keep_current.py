"""Writes generated files; with `--check`, only says which of them are stale."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def keep_current(files: Mapping[Path, str]) -> int:
    """The exit code of the script that generates them. 1: a file is stale (only with `--check`)."""
    check = "--check" in sys.argv[1:]
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path} is stale: run docs/{Path(sys.argv[0]).name}", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path])
    return int(check and bool(stale))
