"""How many requests a job costs the API server: counted from its audit log, one JSON line a request. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

#: Not for a job: they come by the clock, or once a process.
PASSED_OVER = frozenset({"leases"})


def count_requests(lines: Iterable[str], namespaces: Collection[str], accounts: Collection[str]) -> Counter[str]:
    """Requests by "namespace/account verb resource", for objects in `namespaces`, of all service accounts in the
    namespaces `accounts`.

    Left out: watches, leases, discovery and health (whatever is not about an object), and lists over all namespaces
    (an operator's resync, which comes every few minutes, whatever the jobs do).
    """
    counts: Counter[str] = Counter()
    for event in _events(lines):
        reference = event.get("objectRef") or {}
        resource, account = reference.get("resource"), _service_account(event)
        if account is None or account.partition("/")[0] not in accounts or event.get("verb") == "watch":
            continue
        if not resource or resource in PASSED_OVER or reference.get("namespace") not in namespaces:
            continue
        subresource = reference.get("subresource")
        counts[f"{account} {event['verb']} {resource}{f'/{subresource}' if subresource else ''}"] += 1
    return counts


def count_discovery(lines: Iterable[str], accounts: Collection[str]) -> int:
    """Requests of these service accounts that are about no object: /version, /apis, and what is below it."""
    found = 0
    for event in _events(lines):
        account = _service_account(event)
        if account is not None and account.partition("/")[0] in accounts:
            found += not (event.get("objectRef") or {}).get("resource")
    return found


def _events(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """The finished requests. A request that is still running when the log is read has a line of its own later."""
    for line in lines:
        event = json.loads(line)
        if event.get("stage") == "ResponseComplete":
            yield event


def _service_account(event: dict[str, Any]) -> str | None:
    """namespace/name, None for other users."""
    parts = str((event.get("user") or {}).get("username", "")).split(":")
    return "/".join(parts[2:4]) if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4 else None
