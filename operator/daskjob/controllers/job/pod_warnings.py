"""What Kubernetes' events say about pods that do not say it themselves."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daskjob.api.resource import EVENTS
from daskjob.errors import ApiError
from daskjob.kube.client import Body, KubeClient
from daskjob.lifecycle.job.silence import explanation, failed_probe, next_question

logger = logging.getLogger(__name__)

#: How old the warnings of a namespace may be. The API server reads all events of a namespace for each question, so a
#: thousand jobs that wait there must not ask one by one.
FRESH = timedelta(seconds=2)
FIELDS = "involvedObject.kind=Pod,type=Warning"

#: Finds, in the warning events about a pod, given as JSON, what explains it; None: nothing does.
Explain = Callable[[str, Iterable[Mapping[str, Any]]], str | None]
#: What was found in the events about each pod, by its name.
Found = Mapping[str, Mapping[Explain, str | None]]


class NamespaceWarnings:
    """The warnings about all pods of a namespace, read once for all jobs that ask within `FRESH`."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        #: By namespace: when the warnings were asked for, and the answer.
        self._answers: dict[str, tuple[datetime, asyncio.Task[Found]]] = {}

    async def read(self, namespace: str, now: datetime, anew: bool = False) -> Found:
        """What the warnings say about the pods of the namespace. `anew`: an earlier answer does not do. Raises
        ApiError."""
        self._answers = {key: answer for key, answer in self._answers.items() if now - answer[0] < FRESH}
        if anew or namespace not in self._answers:
            self._answers[namespace] = now, asyncio.create_task(self._list(namespace))
        # A pass that is cancelled does not take the others' answer with it.
        return await asyncio.shield(self._answers[namespace][1])

    async def _list(self, namespace: str) -> Found:
        events = defaultdict(list)
        for event in await self._client.list(EVENTS, namespace, fields=FIELDS, keep=_reduced):
            events[event["pod"]].append(event)
        return {pod: {explain: explain(pod, some) for explain in EXPLANATIONS} for pod, some in events.items()}


def _reduced(event: Body) -> Body:
    kept = {key: event.get(key) for key in ("involvedObject", "reason", "message", "lastTimestamp", "eventTime")}
    return {"pod": event["involvedObject"].get("name", ""), **kept}


#: All that is looked for, so that the events themselves need not be kept.
EXPLANATIONS: tuple[Explain, ...] = (explanation, failed_probe)


@dataclass(frozen=True)
class _Answer:
    first: datetime
    last: datetime
    words: str | None


class PodWarnings:
    """The warnings about such pods of one job, each asked for after growing pauses: passes come with every change."""

    def __init__(self) -> None:
        #: By the pod's name.
        self._answers: dict[str, _Answer] = {}

    async def look(
        self,
        warnings: NamespaceWarnings,
        namespace: str,
        silent: Sequence[str],
        killed: Sequence[str],
        now: datetime,
    ) -> tuple[str, ...]:
        """The warnings that explain why the silent pods do not start, and who ended the killed ones."""
        pods: dict[str, Explain] = {**dict.fromkeys(killed, failed_probe), **dict.fromkeys(silent, explanation)}
        self._answers = {name: answer for name, answer in self._answers.items() if name in pods}
        due = [name for name in pods if self._is_due(name, now)]
        if due:
            try:
                # This pass may be the one that records why a pod ended: what was read before says nothing of that.
                found = await warnings.read(namespace, now, anew=any(pods[name] is failed_probe for name in due))
            except ApiError as error:
                # Events only explain: the pass goes on without them.
                logger.debug("no events of the pods in %s: %s", namespace, error)
            else:
                words = {name: found.get(name, {}).get(pods[name]) for name in due}
                self._answers |= {name: _Answer(self._first(name, now), now, words[name]) for name in due}
        return tuple(answer for name in pods if (answer := self._words(name)) is not None)

    def _is_due(self, name: str, now: datetime) -> bool:
        known = self._answers.get(name)
        return known is None or now >= next_question(known.first, known.last)

    def _first(self, name: str, now: datetime) -> datetime:
        known = self._answers.get(name)
        return known.first if known is not None else now

    def _words(self, name: str) -> str | None:
        answer = self._answers.get(name)
        return answer.words if answer is not None else None
