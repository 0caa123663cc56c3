"""Deletes what a job has in its store, in a pod of its own, when the job is deleted (`result.retention`).

`--remove ORDERS`, in JSON: `{url, options, folder, uid, seconds}`; `folder`: the names that lead from the URL to the
job's own folder, of which the last is the job's UID.
"""

from __future__ import annotations

import json
import time
from typing import Any

from daskjob import wire
from daskjob.fetch.program import end, persist
from daskjob.results import opened_store
from daskjob.results.opened_store import StoreProblem, open_store, within
from daskjob.runner.load import add_packages
from daskjob.runner.surroundings import settle_in

#: Reasons of a store's problems that another try does not mend.
FINAL = {*opened_store.REASONS} - {opened_store.UNAVAILABLE}


def run(orders: str) -> int:
    """Carries out the orders. Returns the exit code. The termination message has what was deleted, or what went
    wrong."""
    settle_in()
    add_packages()
    found = json.loads(orders)
    until = time.monotonic() + float(found["seconds"])
    try:
        names = _folder(found)
        count = persist(lambda: _remove(found, names, until), until, StoreProblem, FINAL)
    except StoreProblem as problem:
        return end(wire.failed(problem.reason, problem.message))
    except Exception as error:
        text = opened_store.without_secrets(f"{type(error).__name__}: {error}")
        return end(wire.failed(opened_store.UNAVAILABLE, text))
    print(f"daskjob: deleted {count} files", flush=True)
    return end({"outcome": wire.SUCCEEDED, "result": {"type": "removal", "value": str(count)}})


def _folder(orders: dict[str, Any]) -> list[str]:
    """The names that lead to the job's own folder. Raises StoreProblem for another one."""
    names = [str(each) for each in orders["folder"]]
    plain = all(each and "/" not in each and each not in (".", "..") for each in names)
    if not plain or names[-1:] != [orders["uid"]] or not orders["uid"]:
        raise StoreProblem(opened_store.NOT_FOUND, f"{'/'.join(names)} is no folder of the job {orders['uid']}")
    return names


def _remove(orders: dict[str, Any], names: list[str], until: float) -> int:
    url, options = orders["url"], orders["options"]
    return int(within(until - time.monotonic(), url, lambda: open_store(url, options).below(*names).remove_all()))
