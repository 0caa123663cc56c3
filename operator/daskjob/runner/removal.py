"""Deletes what a job has in its store, in a pod of its own, when the job is deleted (`result.retention`).

`--remove ORDERS`, in JSON: `{url, options, folder, uid, seconds}`; `folder`: the names that lead from the URL to the
job's own folder, of which the last is the job's UID.
"""

from __future__ import annotations

import json
import time
from typing import Any

from daskjob import wire
from daskjob.fetch.program import end
from daskjob.results import opened_store
from daskjob.results.opened_store import StoreProblem, open_store, within
from daskjob.runner.load import add_packages
from daskjob.runner.surroundings import settle_in

#: Seconds before the second try, doubled with each further one up to the second number.
PAUSE, LONGEST_PAUSE = 1.0, 16.0


def run(orders: str) -> int:
    """Carries out the orders. Returns the exit code. The termination message has what was deleted, or what went
    wrong."""
    settle_in()
    add_packages()
    found = json.loads(orders)
    try:
        count = _persist(found, time.monotonic() + float(found["seconds"]))
    except StoreProblem as problem:
        return end(wire.FAILED, {"failure": wire.failure(problem.reason, problem.message)})
    except Exception as error:
        text = opened_store.without_secrets(f"{type(error).__name__}: {error}")
        return end(wire.FAILED, {"failure": wire.failure(opened_store.UNAVAILABLE, text)})
    print(f"daskjob: deleted {count} files", flush=True)
    return end(wire.SUCCEEDED, {"result": {"type": "removal", "value": str(count)}})


def _persist(orders: dict[str, Any], until: float) -> int:
    """Tries again, with pauses, while the store is not there and there is time."""
    names = [str(each) for each in orders["folder"]]
    plain = all(each and "/" not in each and each not in (".", "..") for each in names)
    if not plain or names[-1:] != [orders["uid"]] or not orders["uid"]:
        raise StoreProblem(opened_store.NOT_FOUND, f"{'/'.join(names)} is no folder of the job {orders['uid']}")
    pause = PAUSE
    while True:
        left = until - time.monotonic()
        try:
            count = within(left, orders["url"], lambda: _remove(orders["url"], orders["options"], names))
            return int(count)
        except StoreProblem as problem:
            if problem.reason != opened_store.UNAVAILABLE or time.monotonic() + pause >= until:
                raise
            print(f"daskjob: {problem.message}; trying again", flush=True)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _remove(url: str, options: dict[str, Any], names: list[str]) -> int:
    return open_store(url, options).below(*names).remove_all()
