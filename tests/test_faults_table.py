"""FAULTS.md names tests that there are, and leaves no fault out."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
#: The table's rows: number (none: more of the fault above), fault, tests, what was seen.
ROWS = [line.split("|")[1:-1] for line in (HERE / "FAULTS.md").read_text().splitlines() if re.match(r"\| [ \d]", line)]


def test_every_fault_has_a_row_and_every_row_its_tests() -> None:
    assert [int(number) for number, *_ in ROWS if number.strip()] == list(range(1, 44))
    assert all(len(row) == 4 and all(cell.strip() for cell in row[1:]) for row in ROWS)


def test_every_name_is_that_of_a_test() -> None:
    files = [file for file in HERE.rglob("*.py") if "__pycache__" not in file.parts]
    text = "\n".join(file.read_text() for file in files) + "\n".join(str(file.relative_to(HERE)) for file in files)
    folders = [f"jobs/{folder.name}" for folder in (HERE.parent / "jobs").iterdir()]

    def found(name: str) -> bool:
        # Names of cases are the keys, or the functions, that they are made of.
        parts = [part for part in name.strip("[]").split("…") if part]
        known = "\n".join((text, *folders))
        return all(part in known or part.replace(" ", "_") in known for part in parts)

    named = {name for _, _, tests, _ in ROWS for name in re.findall(r"`([^`]+)`", tests)}
    assert sorted(name for name in named if not found(name)) == []
