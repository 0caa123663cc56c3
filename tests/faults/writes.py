"""A name for each write of an operator, the same in every run of the same scenario."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from daskjob.api.tokens import ALPHABET, NONCE_LENGTH

from .api_call import ApiCall
from .proxy import Write

#: Renewed for ever: only the first of each is a step of a scenario.
RENEWED = ("create leases", "patch leases")

_UID = re.compile(r"-[0-9a-f]{5}-(?=\d+(-|$))")
_NONCE = re.compile(rf"(-\d+)-[{ALPHABET}]{{{NONCE_LENGTH}}}(?=-|$)")
_REASON = re.compile(r" \(\w+\)")
_HASH = re.compile(r"[-.][0-9a-f]{8,}$")


def sign(call: ApiCall) -> str:
    """`create pods sum-1-runner`, `patch daskjobs/status sum: 1 Running`, `create events sum (Started)`."""
    name = _HASH.sub("", _NONCE.sub(r"\1", _UID.sub("-", call.name)))
    what = f"{call.verb} {call.resource}{'/' + call.subresource if call.subresource else ''} {name}".strip()
    if call.resource == "events":
        return f"{what} ({call.body.get('reason')})"
    if call.resource == "daskjobs" and call.subresource == "status":
        return f"{what}: {_state(call.body.get('status') or {})}"
    return what


def _state(status: Mapping[str, Any]) -> str:
    """What a status says, without what differs from run to run."""
    true = {each["type"] for each in status.get("conditions") or () if each["status"] == "True"}
    attempts = status.get("attempts") or ()
    words = [str(status.get("attempt") or 0), str(status.get("phase"))]
    if attempts and attempts[-1].get("outcome"):
        words += ["attempt", attempts[-1]["outcome"]]
        if attempts[-1].get("reason"):
            words.append(f"({attempts[-1]['reason']})")
    return " ".join([*words, *sorted(true & {"CleanedUp"})])


@dataclass(frozen=True)
class Step:
    """A write of a scenario. `after`: what the last status before it has."""

    write: str
    occurrence: int
    after: str

    @property
    def kind(self) -> tuple[str, str]:
        """The same for steps that differ only by the reason that they tell: the same write after another status is
        another step."""
        return _REASON.sub("", self.write), _REASON.sub("", self.after)


def steps(writes: Iterable[Write]) -> list[Step]:
    """In order; of what is renewed for ever, the first."""
    counts: Counter[str] = Counter()
    found, status = [], ""
    for each in writes:
        name = sign(each.call)
        counts[name] += 1
        if counts[name] == 1 or not name.startswith(RENEWED):
            found.append(Step(name, counts[name], status))
        if each.call.resource == "daskjobs":
            status = name
    return found
