"""The runner as one file that any Python runs: `python3 runner.pyz`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_MAIN = """import sys

from daskjob.runner.__main__ import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def build() -> bytes:
    """The zipapp's bytes. Equal sources give equal bytes on every machine and Python, so the files are not
    compressed."""
    package = Path(__file__).parents[1]
    files = {"__main__.py": _MAIN.encode(), "daskjob/__init__.py": (package / "__init__.py").read_bytes()}
    for folder in ("runner", "fetch", "wire", "results"):
        for path in (package / folder).glob("*.py"):
            if path.name != Path(__file__).name:
                files[f"daskjob/{folder}/{path.name}"] = path.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()
