"""A git server in the model: what pods that find a commit are told, and what must be true of the commits of a job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from daskjob.api import constants as c
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.kube.client import Body
from daskjob.sources import Fetch
from daskjob.wire import termination_message

#: The component, and the container, of a pod that finds a commit.
SOURCE = "source"
#: What the server does: it answers, or it never does. Else the pod ends with a reason, or with other last words.
FINDS, SILENT = "finds", "silent"
REASONS = ("SourceNotFound", "SourceUnreachable", "SourceForbidden", "TaskFailed")
WORDS = (
    "",
    '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "commit", "value": "\\"main\\"", "size": 6}}',
    '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "commit", "value": "[1", "size": 2}}',
)
#: What a stranger's pod claims to have found.
FORGED = "f" * 40


class GitModel:
    """`answer`: how the server answers; `told`: the commits that it named, by the name of the pod that asked."""

    def __init__(self) -> None:
        self.answer = FINDS
        self.pushed = 0
        self.told: dict[str, str] = {}

    def push(self) -> None:
        """The branch moves."""
        self.pushed += 1

    @property
    def commit(self) -> str:
        """The commit of the branch now."""
        return hashlib.sha1(str(self.pushed).encode()).hexdigest()

    def end_of(self, pod: str) -> tuple[int, str] | None:
        """Exit code and last words of a pod that asks; None: it waits."""
        if self.answer == SILENT:
            return None
        if self.answer == FINDS:
            self.told[pod] = self.commit
            result = {"type": "commit", "value": json.dumps(self.commit)}
            return 0, termination_message("Succeeded", result)
        if self.answer in REASONS:
            return 1, termination_message("Failed", failure={"reason": self.answer, "message": "in words"})
        return 0, self.answer


def check_commits(git: GitModel, old: DaskJobStatus, new: DaskJobStatus, fetch: Fetch | None) -> None:
    """Of a write of a status: all attempts of a run have one commit, which the spec or a pod of the run has named.
    `fetch`: what the spec says about the code; that of another run may have been different."""
    commits: dict[int, set[str]] = {}
    for attempt in new.attempts:
        if attempt.commit is not None:
            commits.setdefault(attempt.run or 1, set()).add(attempt.commit)
    assert all(len(each) == 1 for each in commits.values()), f"a run with several commits: {commits}"
    before = {each.number: each.commit for each in old.attempts}
    for attempt in new.attempts:
        known = before.get(attempt.number)
        assert known in (None, attempt.commit), "the commit of an attempt changed"
        if attempt.commit is None or known is not None:
            continue
        earlier = any(each.commit == attempt.commit and each.run == attempt.run for each in old.attempts)
        named = fetch is not None and fetch.commit == attempt.commit
        told = git.told.get(f"{attempt.name}-{SOURCE}") == attempt.commit
        assert earlier or named or told, "a commit that nobody has found"


def check_creation(kind: str, body: Body, attempt: Attempt, fetch: Fetch | None) -> None:
    """Of an object that is to be created: the pod that finds a commit only while there is none, all others with it."""
    labels = body["metadata"].get("labels") or {}
    if kind == "Pod" and labels.get(c.COMPONENT_LABEL) == SOURCE:
        assert attempt.commit is None, "a pod that finds what is known"
        assert fetch is None or fetch.moves, "a pod that finds what does not move"
        assert body["spec"]["automountServiceAccountToken"] is False
        return
    specs = [body["spec"]] if kind == "Pod" else []
    if kind == "DaskCluster":
        specs = [body["spec"][each]["spec"] for each in ("scheduler", "worker")]
    for spec in specs:
        commits = list(_commits_in(spec))
        assert commits == ([attempt.commit] if attempt.commit is not None else []), f"{kind} with {commits}"


def _commits_in(spec: dict[str, Any]) -> Iterator[str]:
    for container in spec.get("initContainers", ()):
        command = container.get("command") or []
        if "--fetch" in command:
            orders = json.loads(command[command.index("--fetch") + 1])
            if orders["kind"] == "git":
                yield orders["commit"]
