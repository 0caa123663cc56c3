"""Writes what `daskjob schema` prints into docs/schemas; with `--check`, only says whether the file is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from daskjob.schema.editor_schema import as_text, editor_schema

FILE = Path(__file__).resolve().parent / "schemas" / "daskjob.schema.json"


def main() -> int:
    """Exit code 1: the file is not current (only with `--check`)."""
    text = as_text(editor_schema())
    if "--check" in sys.argv[1:]:
        return int(not FILE.is_file() or FILE.read_text() != text)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
