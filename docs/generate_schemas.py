"""Writes what `daskjob schema` prints into docs/schemas; with `--check`, only says whether the file is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from daskjob.schema.editor_schema import as_text, editor_schema

FILE = Path(__file__).resolve().parent / "schemas" / "daskjob.schema.json"


if __name__ == "__main__":
    from keep_current import keep_current

    sys.exit(keep_current({FILE: as_text(editor_schema())}))
