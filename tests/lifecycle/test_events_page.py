"""docs/events.md has every reason that an event can have, with its type, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from daskjob.api.constants import EventReason, Reason
from daskjob.api.cron_job import CronReason
from daskjob.lifecycle.cron.decide import MANY

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "events.md").read_text()
ENUMS = {enum.__name__: enum for enum in (EventReason, Reason, CronReason)}
ROW = re.compile(r"^\| `(\w+)` \| (Normal|Warning) \|", re.MULTILINE)


def posted(folder: str) -> dict[str, str]:
    """Reason and type of every event that is written down with its reason in a folder of the operator."""
    found: dict[str, str] = {}
    for path in (ROOT / "operator" / "daskjob" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Event":
                reason = node.args[0]
                assert not isinstance(reason, ast.Constant), f"{path}:{node.lineno}: make it an EventReason"
                if isinstance(reason, ast.Attribute) and isinstance(reason.value, ast.Name):
                    enum = ENUMS.get(reason.value.id)
                    if enum is not None:
                        warning = any(each.arg == "warning" for each in node.keywords)
                        found[str(enum[reason.attr])] = "Warning" if warning else "Normal"
    return found


def documented(title: str) -> dict[str, str]:
    """Reason and type of the rows of a part of the page."""
    part = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return dict(ROW.findall(part))


# A success has the reason of the job's condition, which is not written down at the event, and so has a wait.
@pytest.mark.parametrize(
    ("title", "folders", "others"),
    [
        ("On a job", ("lifecycle/job", "controllers/job"), {"Succeeded": "Normal", "FireAndForget": "Normal"}),
        ("On a cron job", ("lifecycle/cron", "controllers/cron"), {}),
    ],
)
def test_the_page_has_every_event(title: str, folders: tuple[str, ...], others: dict[str, str]) -> None:
    found = {reason: kind for folder in folders for reason, kind in posted(folder).items()}
    assert found
    assert documented(title) == found | others


def test_every_reason_of_events_is_used() -> None:
    assert {str(each) for each in EventReason} <= documented("On a job").keys()


def test_the_number_of_missed_times() -> None:
    assert f"more than {MANY} runs were missed" in PAGE
