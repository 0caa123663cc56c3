"""The log of one pod: each line once, whatever happens to the connection."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from daskjob.api.resource import PODS
from daskjob.api.times import from_text, to_seconds_text
from daskjob.client.problems import ClientError, ClusterUnreachable, InvalidJob, NotFound, Unavailable
from daskjob.client.transport import Body, Transport

#: Seconds without a byte after which a follower asks whether the pod still is there.
SILENCE = 60.0
#: The pause before the second and any later try, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
#: Seconds of failures in a row after which it gives up: while the job runs, and once it has ended.
PATIENCE, PATIENCE_AT_THE_END = 600.0, 20.0


@dataclass(frozen=True)
class LogLine:
    """One line. `time`: as the node wrote it, empty if it did not."""

    pod: str
    attempt: int
    time: str
    text: str


class Delivered:
    """Which lines were handed on, as far back as the API server can be asked to begin again: to the second.

    A line is known again by its time, to the nanosecond, and its text; equal ones are counted.
    """

    def __init__(self) -> None:
        self._lines: deque[tuple[datetime, str, bytes]] = deque()
        self._first: tuple[datetime, str] | None = None
        self._last: datetime | None = None
        self._again: Counter[tuple[str, bytes]] = Counter()

    @property
    def since(self) -> str | None:
        """From when on to ask again; None: from the beginning, for nothing was handed on. The lines of two writers,
        stdout and stderr, may be a moment out of order."""
        return to_seconds_text(self._last - timedelta(seconds=1)) if self._last is not None else None

    def restart(self) -> None:
        """The log is read again, from `since` on."""
        self._again = Counter((stamp, text) for _, stamp, text in self._lines)

    def is_new(self, stamp: str, text: bytes) -> bool:
        """Whether the line is to be handed on; it counts as handed on then."""
        key = (stamp, text)
        if self._again[key] > 0:
            self._again[key] -= 1
            return False
        moment = from_text(stamp)
        if moment is None:
            # The end of a line whose beginning is older than what was asked for.
            return False
        moment = moment.astimezone(UTC)
        # Within a microsecond, the finest that a moment has, the text tells.
        if self._first is not None and (moment, stamp) < self._first:
            # Older than what was asked for at first (the last lines only).
            return False
        self._first = self._first or (moment, stamp)
        self._last = max(self._last, moment) if self._last is not None else moment
        self._lines.append((moment, stamp, text))
        oldest = self._last.replace(microsecond=0) - timedelta(seconds=1)
        while self._lines and self._lines[0][0] < oldest:
            self._lines.popleft()
        return True


@dataclass
class PodLog:
    """The log of a container. `tail`: only the last lines; `since`: only those of the last seconds; `note` is called
    with words about the connection; `is_over` says whether the job has ended; `left`: set when nobody reads any more.
    """

    transport: Transport
    pod: Body
    container: str
    attempt: int = 0
    tail: int | None = None
    since: int | None = None
    note: Callable[[str], None] = lambda text: None
    is_over: Callable[[], bool] = lambda: False
    left: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._delivered = Delivered()
        self._held: bytes | None = None

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    def read(self) -> Iterator[LogLine]:
        """What there is now. Raises ClientError."""
        pauses = iter((0.3, 1.0))
        while True:
            try:
                yield from self._stream(follow=False, to_the_end=True)
                return
            except Unavailable:
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause)

    def follow(self) -> Iterator[LogLine]:
        """All until the container has ended for good, or the pod is gone. Raises ClientError."""
        restarts = restarts_of(self.pod, self.container)
        failures, failing_since = 0, 0.0
        while True:
            failure: ClientError | None = None
            before = self._delivered.since
            try:
                yield from self._stream(follow=True)
            except NotFound:
                yield from self._last_words()
                return
            except (ClusterUnreachable, InvalidJob) as error:
                failure = error
            try:
                current = self.transport.request("get", PODS, self.pod["metadata"]["namespace"], self.name)
            except NotFound:
                current = None
            except ClusterUnreachable as error:
                failure, current = error, self.pod
            if current is None or current["metadata"]["uid"] != self.pod["metadata"]["uid"]:
                yield from self._last_words()
                return
            now = time.monotonic()
            if failure is None or self._delivered.since != before:
                failures = 0
            failures += 1
            failing_since = now if failures == 1 else failing_since
            count = restarts_of(current, self.container)
            if count > restarts:
                restarts = count
                yield from self._rest(previous=True)
                continue
            if is_terminated(current, self.container):
                yield from self._rest()
                return
            if failure is not None:
                if failures == 2:
                    self.note(f"{self.name}: {failure}; trying again")
                if now - failing_since > (PATIENCE_AT_THE_END if self.is_over() else PATIENCE):
                    self.note(f"{self.name}: its log cannot be read to the end: {failure}")
                    return
            if self.left.wait(min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE)):
                return

    def _rest(self, previous: bool = False) -> Iterator[LogLine]:
        """What is left of the log of a container that has ended."""
        try:
            for number in range(3):
                try:
                    yield from self._stream(follow=False, to_the_end=True, previous=previous)
                    return
                except Unavailable:
                    if number == 2:
                        raise
                    time.sleep(0.5)
        except ClientError as error:
            self.note(f"{self.name}: the end of its log cannot be read: {error}")
            yield from self._last_words()

    def _stream(self, *, follow: bool, to_the_end: bool = False, previous: bool = False) -> Iterator[LogLine]:
        """One connection's new lines. Half a line at its end is held, unless this is `to_the_end`."""
        since = self._delivered.since
        query: Mapping[str, str | None] = {
            "container": self.container,
            "timestamps": "true",
            "follow": "true" if follow else None,
            "previous": "true" if previous else None,
            "sinceTime": since,
            "sinceSeconds": str(self.since) if self.since is not None and since is None else None,
            "tailLines": str(self.tail) if self.tail is not None and since is None else None,
        }
        self._delivered.restart()
        self._held = None
        namespace = self.pod["metadata"]["namespace"]
        opened = self.transport.lines(
            "get", PODS, namespace, self.name, subresource="log", query=query, silence=SILENCE
        )
        with opened as lines:
            for line in lines:
                if line.endswith(b"\n") or to_the_end:
                    yield from self._new(line)
                else:
                    self._held = line

    def _last_words(self) -> Iterator[LogLine]:
        """The half line that came last, of a pod that is gone."""
        held, self._held = self._held, None
        if held is not None:
            yield from self._new(held)

    def _new(self, line: bytes) -> Iterator[LogLine]:
        stamp, _, text = line.rstrip(b"\n").partition(b" ")
        moment = stamp.decode(errors="replace")
        if self._delivered.is_new(moment, text):
            yield LogLine(self.name, self.attempt, moment, text.decode(errors="replace").rstrip("\r"))


def container_of(pod: Body, container: str) -> Mapping[str, Any]:
    """The status of a container; empty if the kubelet has not written it."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in statuses if each.get("name") == container), {})


def restarts_of(pod: Body, container: str) -> int:
    return int(container_of(pod, container).get("restartCount") or 0)


def is_terminated(pod: Body, container: str) -> bool:
    """Whether the container has ended for good."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    ended = "terminated" in (container_of(pod, container).get("state") or {})
    return ended and (pod.get("spec") or {}).get("restartPolicy") == "Never"


def has_log(pod: Body, container: str) -> bool:
    """Whether the container has been started."""
    status = container_of(pod, container)
    state = status.get("state") or {}
    return "running" in state or "terminated" in state or bool(status.get("lastState"))
