"""What Kubernetes' events say about a job's silent pods."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daskjob.errors import ApiError
from daskjob.kube.client import KubeClient
from daskjob.kube.resources import EVENTS
from daskjob.lifecycle.job.silence import explanation, next_question

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Answer:
    first: datetime
    last: datetime
    words: str | None


class PodWarnings:
    """The warnings about the silent pods of one job, each asked for after growing pauses: many jobs may wait at a time,
    and passes come with every change."""

    def __init__(self) -> None:
        #: By the pod's name.
        self._answers: dict[str, _Answer] = {}

    async def look(self, client: KubeClient, namespace: str, pods: Sequence[str], now: datetime) -> tuple[str, ...]:
        """The warnings that explain why these pods do not start."""
        self._answers = {name: answer for name, answer in self._answers.items() if name in pods}
        for name in pods:
            known = self._answers.get(name)
            if known is not None and now < next_question(known.first, known.last):
                continue
            fields = f"involvedObject.kind=Pod,involvedObject.name={name},type=Warning"
            try:
                events = await client.list(EVENTS, namespace, fields=fields)
            except ApiError as error:
                # Events only explain: the pass goes on without them.
                logger.debug("no events of pod %s/%s: %s", namespace, name, error)
                break
            self._answers[name] = _Answer(known.first if known is not None else now, now, explanation(name, events))
        return tuple(words for name in pods if (words := self._words(name)) is not None)

    def _words(self, name: str) -> str | None:
        answer = self._answers.get(name)
        return answer.words if answer is not None else None
