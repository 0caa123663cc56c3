"""The verdict over a job, from the history of the API server's watch events and from the objects that are left of
it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.api.times import from_text

from .api import Api, Body
from .endings import Ending
from .namespace_view import NamespaceView, WatchEvent, component_of, is_ended, is_finished, labels_of

LEFT = ("Pod", "DaskCluster", "DaskWorkerGroup", "Service", "Secret", "NetworkPolicy", "ConfigMap")
#: What an attempt has once, and the operator makes.
OURS = ("DaskCluster", "DaskJobReport", "Pod")
FOREVER = 1 << 62
#: Seconds that the garbage collector may take, and between two looks.
COLLECTED, LOOK = 30.0, 0.2


class Object:
    """One object's life, in versions."""

    def __init__(self, first: WatchEvent) -> None:
        self.kind, self.name, self.uid, self.body = first.kind, first.name, first.uid, first.body
        self.made = first.version
        self.told_to_go = self.gone = self.ended = FOREVER
        self.went = math.inf

    def see(self, change: WatchEvent) -> None:
        if "deletionTimestamp" in change.body["metadata"] or change.event == "DELETED":
            self.told_to_go = min(self.told_to_go, change.version)
            self.went = min(self.went, change.time)
        if change.event == "DELETED":
            self.gone = min(self.gone, change.version)
        if change.kind == "Pod" and is_ended(change.body):
            self.ended = min(self.ended, change.version)
        self.body = change.body

    @property
    def over(self) -> int:
        return min(self.gone, self.ended)

    @property
    def attempt(self) -> int:
        return int(labels_of(self.body).get(c.ATTEMPT_LABEL, "0"))

    @property
    def is_runner(self) -> bool:
        return self.kind == "Pod" and component_of(self.body) == "runner"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Record:
    """What the status of a job said, and when it said so first."""

    def __init__(self, history: Iterable[WatchEvent], name: str) -> None:
        self.accepted: dict[int, int] = {}
        #: The names that each attempt had, the last one last.
        self.names: dict[int, list[str]] = {}
        self.outcomes: dict[int, tuple[int, Mapping[str, Any]]] = {}
        self.problems: list[str] = []
        self.last: Body = {}
        #: The version at which the job itself was deleted.
        self.deleted = FOREVER
        self.uid = ""
        for change in history:
            if change.kind == "DaskJob" and change.name == name:
                self._see(change)

    def _see(self, change: WatchEvent) -> None:
        self.uid, self.last = change.uid, change.body
        if change.event == "DELETED":
            self.deleted = change.version
        if change.body["metadata"].get("finalizers"):
            self.problems.append(f"the job has finalizers: {change.body['metadata']['finalizers']}")
        status = change.body.get("status") or {}
        for attempt in status.get("attempts") or ():
            number = attempt["number"]
            self.accepted.setdefault(number, change.version)
            names = self.names.setdefault(number, [])
            if attempt.get("name", "") not in names:
                names.append(attempt.get("name", ""))
            if not attempt.get("outcome"):
                if number in self.outcomes:
                    self.problems.append(f"attempt {number} lost its outcome")
                continue
            outcome = {key: attempt.get(key) for key in ("outcome", "reason", "completionTime", "class")}
            _, before = self.outcomes.setdefault(number, (change.version, outcome))
            if before != outcome:
                self.problems.append(f"the outcome of attempt {number} changed from {before} to {outcome}")

    def is_given_up(self, name: str) -> bool:
        """Whether an object's name is of one that its attempt no longer has."""
        return any(name.startswith(each) for names in self.names.values() for each in names[:-1])


def judge(view: NamespaceView, name: str, ending: Ending) -> list[str]:
    """What was wrong with the job's run; empty if nothing was."""
    record = Record(view.history, name)
    objects: dict[str, Object] = {}
    for change in view.history:
        if labels_of(change.body).get(c.JOB_LABEL) == name:
            objects.setdefault(change.uid, Object(change)).see(change)
    lives = list(objects.values())
    return [
        *record.problems,
        *_wrong_end(record, ending),
        *_wrong_numbers(record, lives, ending),
        *_under_names_given_up(record, lives),
        *_too_early(record, lives),
        *_destroyed_unrecorded(view, record, lives),
        *_not_kept(record, lives, ending),
        *_overlapping(view, lives),
        *_computed_twice(view, lives),
        *(f"{each} has finalizers" for each in lives if each.body["metadata"].get("finalizers")),
    ]


def _wrong_end(record: Record, ending: Ending) -> list[str]:
    status = record.last.get("status") or {}
    problems: list[str] = []
    if ending.abandoned:
        return problems
    reason = (status.get("failure") or {}).get("reason", "")
    if not is_finished(record.last):
        problems.append(f"the job has not ended; it is {status.get('phase')}")
    elif status.get("phase") != ending.phase or reason != ending.reason:
        problems.append(f"ended as {status['phase']} {reason}, not as {ending.phase} {ending.reason}")
    elif not ending.reason and (status.get("result") or {}).get("value") != "45":
        problems.append(f"the result is {status.get('result')}")
    outcomes = tuple(each.get("outcome") for each in status.get("attempts") or ())
    if outcomes != ending.outcomes:
        problems.append(f"attempts ended as {outcomes}, not as {ending.outcomes}")
    return problems


def _wrong_numbers(record: Record, lives: list[Object], ending: Ending) -> list[str]:
    """Of every attempt one cluster, one runner and one report."""
    problems = []
    for number in record.accepted:
        for kind in OURS:
            found = [
                each
                for each in lives
                if each.kind == kind and each.attempt == number and (kind != "Pod" or each.is_runner)
                if not record.is_given_up(each.name)
            ]
            # One that waits for nobody may have ended before there was a report for it.
            hasty = kind == "DaskJobReport" and "mute" in ending.scripts
            fewest = 0 if number in ending.bare or hasty else 1
            if not fewest <= len(found) <= 1:
                what = "runner pods" if kind == "Pod" else f"{kind}s"
                problems.append(f"attempt {number} had {len(found)} {what}: {[each.uid for each in found]}")
    return problems


def _under_names_given_up(record: Record, lives: list[Object]) -> list[str]:
    """An attempt gets another name only if nothing of it has run."""
    given_up = [each for each in lives if record.is_given_up(each.name)]
    return [
        f"{each}, of a name that was given up" for each in given_up if each.is_runner or each.kind == "DaskJobReport"
    ]


def _too_early(record: Record, lives: list[Object]) -> list[str]:
    """An attempt is recorded before anything is made for it, and nothing is made after the end."""
    problems = []
    for each in lives:
        if labels_of(each.body).get(c.JOB_UID_LABEL) != record.uid:
            problems.append(f"{each} belongs to another job")
            continue
        if each.made < record.accepted.get(each.attempt, FOREVER):
            problems.append(f"{each} was made before its attempt was recorded")
        if each.kind not in OURS or (each.kind == "Pod" and not each.is_runner):
            continue
        recorded = record.outcomes.get(each.attempt)
        if recorded is not None and each.made > recorded[0]:
            problems.append(f"{each} was made after its attempt had ended")
    return problems


def _destroyed_unrecorded(view: NamespaceView, record: Record, lives: list[Object]) -> list[str]:
    """Nothing of an attempt is deleted before its outcome is recorded; but for what the world broke."""
    broken = {each.attempt for each in lives if each.uid in view.broken and each.kind == "DaskCluster"}
    problems = []
    for each in lives:
        recorded = min(record.outcomes.get(each.attempt, (FOREVER, {}))[0], record.deleted)
        if record.is_given_up(each.name):
            continue
        if each.told_to_go < recorded and each.uid not in view.broken and each.attempt not in broken:
            problems.append(f"{each} was deleted before the outcome of its attempt was recorded")
    return problems


def _not_kept(record: Record, lives: list[Object], ending: Ending) -> list[str]:
    """The cluster stays as long as its user wants it; but for one of a name that was given up."""
    ended = from_text((record.last.get("status") or {}).get("completionTime"))
    if not ending.kept or ended is None:
        return []
    return [
        f"{each} was gone {each.went - ended.timestamp():.1f} s after the end, not {ending.kept:.0f}"
        for each in lives
        if each.kind == "DaskCluster" and not record.is_given_up(each.name)
        if each.went < ended.timestamp() + ending.kept
    ]


def _overlapping(view: NamespaceView, lives: list[Object]) -> list[str]:
    """No pod or cluster of an attempt is made while one of an earlier attempt is there."""
    problems = []
    watched = [each for each in lives if each.kind in ("Pod", "DaskCluster")]
    for later in watched:
        for earlier in watched:
            if earlier.attempt < later.attempt and later.made < earlier.over and earlier.uid not in view.lost:
                problems.append(f"{later} was made while {earlier} was there")
    return problems


def _computed_twice(view: NamespaceView, lives: list[Object]) -> list[str]:
    """Each attempt's graph was computed once at most."""
    uids = {each.uid for each in lives}
    computed = [uid for uid in view.computed if uid in uids]
    return [f"runner {uid} computed its graph twice" for uid in set(computed) if computed.count(uid) > 1]


async def stale_objects(api: Api, view: NamespaceView, name: str, ending: Ending) -> list[str]:
    """What is there and should not be; the garbage collector has a while for its part."""
    found: list[str] = []
    for _ in range(round(COLLECTED / LOOK)):
        if not (found := await _left(api, view, name, ending)):
            break
        await asyncio.sleep(LOOK)
    return found


async def _left(api: Api, view: NamespaceView, name: str, ending: Ending) -> list[str]:
    left = []
    for kind in (*LEFT, "DaskJobReport"):
        for body in await api.list(kind, view.namespace):
            labels = labels_of(body)
            if labels.get(c.JOB_LABEL) != name or body["metadata"]["uid"] in view.lost:
                continue
            if not ending.vanishes and kind == "DaskJobReport":
                continue
            if not ending.vanishes and kind == "Pod" and component_of(body) == "runner" and is_ended(body):
                continue
            left.append(f"{kind} {body['metadata']['name']}")
    return left
