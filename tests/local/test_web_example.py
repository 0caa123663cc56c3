"""The web server of examples/web, as its page starts it: requests over HTTP, jobs on this machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.waiting import wait_for

FOLDER = Path(__file__).parents[2] / "examples" / "web"
PAGE = (FOLDER / "README.md").read_text()
PATIENCE = 300


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its address, without a path."""
    command = next(line for line in PAGE.splitlines() if line.startswith("$ python app.py")).split()[2:]
    process = subprocess.Popen([sys.executable, *command, "--port", "0"], cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.endswith("/fib/20")
        yield address.removesuffix("/fib/20")
    finally:
        process.kill()
        process.communicate()


def ask(address: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, text, and where else to look."""
    request = urllib.request.Request(address, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), answer.headers.get("Location") or ""
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), ""


def test_pages(server: str) -> None:
    """All of the table on its page; the jobs begin together."""
    begun, text, where = ask(f"{server}/jobs/30", "POST")
    assert (begun, where) == (202, f"/jobs/{json.loads(text)['name']}")
    wanted = re.search(r"`GET /fib/20` .* `(<h1>.*</h1>)`", PAGE)
    assert wanted is not None
    assert ask(f"{server}/fib/20")[:2] == (200, wanted[1])

    def look() -> Any:
        return json.loads(ask(server + where)[1])

    shown = wait_for("the job's end", look, lambda job: "result" in job, PATIENCE)
    assert shown == {"name": shown["name"], "phase": "Succeeded", "done": 0, "total": 0, "result": 832040}
    assert f'"result": {shown["result"]}' in PAGE
    status, text, _ = ask(f"{server}/fib/50")
    assert (status, text.strip()) == (500, "ValueError: 50 is too large: at most 40")
    assert text.strip() in PAGE


def test_what_is_not_there(server: str) -> None:
    status, text, _ = ask(f"{server}/jobs/nobody")
    assert (status, text[:11]) == (404, "JobNotFound")


def test_a_job_is_ended(server: str) -> None:
    _, _, where = ask(f"{server}/jobs/40", "POST")
    assert ask(server + where, "DELETE")[0] == 202
    ended = wait_for("its end", lambda: json.loads(ask(server + where)[1]), lambda job: "why" in job, PATIENCE)
    assert ended["why"].startswith("Cancelled")
