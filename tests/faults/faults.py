"""What can befall a request, and plans that say when it does."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from .api_call import ApiCall


class Fault(Enum):
    NONE = "none"
    #: Refused: the request reaches nobody.
    CONFLICT = "409"
    TOO_MANY = "429, Retry-After"
    INTERNAL = "500"
    UNAVAILABLE = "503"
    #: Carried out, but the answer does not come: the connection is closed, or stays silent until the client gives up.
    CUT_AFTER = "connection closed after the commit"
    SILENT_AFTER = "no answer after the commit"
    #: Carried out and answered, after 5 s.
    LATE = "5 s latency"
    #: Of watches: ends in mid-stream, inside an event; tells that its version is too old.
    CUT_WATCH = "watch cut"
    EXPIRED_WATCH = "watch: ERROR 410"
    #: The operator is killed (SIGKILL) before the request is passed on, or when it was carried out.
    KILL_BEFORE = "killed before"
    KILL_AFTER = "killed after"


ANY = {
    Fault.TOO_MANY: 3,
    Fault.INTERNAL: 3,
    Fault.UNAVAILABLE: 3,
    Fault.CUT_AFTER: 3,
    Fault.SILENT_AFTER: 1,
    Fault.LATE: 1,
}
#: How often each befalls a request of a kind, among those that a fault befalls.
WEIGHTS: Mapping[str, Mapping[Fault, int]] = {
    "get": ANY,
    # Never a 410: API servers say it of a list only when its second page is asked for too late.
    "list": ANY,
    "watch": {
        # Nor a 410 in place of the stream: API servers say it inside.
        Fault.CUT_WATCH: 2,
        Fault.EXPIRED_WATCH: 4,
        Fault.TOO_MANY: 2,
        Fault.INTERNAL: 2,
        Fault.UNAVAILABLE: 2,
        Fault.LATE: 1,
    },
    "create": ANY | {Fault.CONFLICT: 3},
    "update": ANY | {Fault.CONFLICT: 3},
    "patch": ANY | {Fault.CONFLICT: 3},
    "delete": ANY | {Fault.CONFLICT: 3},
    "deletecollection": ANY,
}


class Plan(Protocol):
    def fate(self, call: ApiCall) -> Fault:
        """What befalls a request."""

    def life(self, call: ApiCall) -> float:
        """How long a watch may last, in seconds; then it is cut inside its next event."""


class Peace:
    """Nothing happens."""

    def fate(self, call: ApiCall) -> Fault:
        return Fault.NONE

    def life(self, call: ApiCall) -> float:
        return math.inf


class Chaos:
    """A fault befalls that share of all requests, of every verb and resource, and every watch is cut sooner or later,
    after `LIFE` seconds in the mean. `met` counts the faults, `calls` the requests."""

    #: Shorter than the five minutes after which a watch ends anyway.
    LIFE = 30.0

    def __init__(self, seed: str, share: float = 0.1) -> None:
        self.chance = random.Random(seed)
        self.share = share
        self.calls: Counter[str] = Counter()
        self.met: Counter[tuple[str, Fault]] = Counter()

    def fate(self, call: ApiCall) -> Fault:
        self.calls[call.verb] += 1
        if self.chance.random() >= self.share:
            return Fault.NONE
        weights = WEIGHTS[call.verb]
        (fault,) = self.chance.choices(list(weights), list(weights.values()))
        self.met[call.verb, fault] += 1
        return fault

    def life(self, call: ApiCall) -> float:
        self.met[call.verb, Fault.CUT_WATCH] += 1
        return self.chance.expovariate(1 / self.LIFE)


@dataclass
class Once(Peace):
    """One fault, at that occurrence of one write; `sign` gives a write its name (see `writes`)."""

    fault: Fault
    write: str
    occurrence: int
    sign: Callable[[ApiCall], str]
    count: int = 0

    def fate(self, call: ApiCall) -> Fault:
        if not call.writes or self.sign(call) != self.write:
            return Fault.NONE
        self.count += 1
        return self.fault if self.count == self.occurrence else Fault.NONE
