"""Pods that Kubernetes refused: which words their owner gets, and when the creation is tried again."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import httpx

from daskjob.streams.bounded_dict import BoundedDict

#: Annotation on the owner of a pod that Kubernetes refused: HTTP status and message, as JSON.
REFUSED_ANNOTATION = "daskjob.io/refused"
#: Characters of a refusal that the operator gets: a status has room for no more.
MOST_CHARACTERS = 4096
#: Seconds until the creation is tried again: the first pause, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 30.0
#: How many owners are remembered; of the eldest of more, the next refusal counts as the first.
MOST_OWNERS = 10_000


class Refusals:
    """What owners of refused pods were last told, and how often their pods were refused.

    A quota refuses the pods of many jobs for hours: each try costs requests, and each text that is new wakes the
    operator.
    """

    def __init__(self) -> None:
        #: By the owner's UID.
        self._last: BoundedDict[str, tuple[str, int]] = BoundedDict(MOST_OWNERS)

    def add(self, uid: str, text: str) -> tuple[bool, float]:
        """Notes a refusal. Returns whether the owner has to be told this text, and the seconds until the next try."""
        before, count = self._last.get(uid, ("", 0))
        self._last[uid] = text, count + 1
        pause = min(FIRST_PAUSE * 1.5 ** min(count, 10), LONGEST_PAUSE)
        # Jobs that were refused together do not come back together.
        return text != before, pause * random.uniform(0.8, 1.2)

    def forget(self, uid: str) -> None:
        """Forgets an owner: its pod was created, or it was not told."""
        self._last.pop(uid, None)


def refusal_text(response: httpx.Response, pod: Mapping[str, Any], kind: str = "") -> str:
    """The annotation's text. `kind`: of what was refused, if that is not a pod.

    The name that dask-kubernetes draws anew for each try of a worker becomes the group's, so that the same refusal is
    the same text.
    """
    name = pod["metadata"]["name"]
    message = message_of(response).replace(name, group_name(name))[:MOST_CHARACTERS]
    return json.dumps({"status": response.status_code, "message": message, **({"kind": kind} if kind else {})})


def group_name(name: str) -> str:
    """A worker's name without its last part, which is drawn: `a-1-default-worker`; another name as it is."""
    group, worker, drawn = name.rpartition("-worker-")
    return f"{group}-worker" if worker and drawn.isalnum() else name


def is_about_the_object(response: httpx.Response) -> bool:
    """Whether the API server refused the object, or only had no time for it. A webhook that cannot be asked is an
    error of the server."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return False
    return response.is_client_error or "webhook" in message_of(response)


def message_of(response: httpx.Response) -> str:
    """What the API server says about a request that it refused."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:MOST_CHARACTERS]}"
