"""The tokens of a job's attempts, which are in no status: this process draws them, and forgets them when it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from daskjob.api.attempt_names import runner_name
from daskjob.api.status import Attempt
from daskjob.api.tokens import ALPHABET, NONCE_LENGTH, Draw, Tokens, follows_from
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body
from daskjob.lifecycle.job.proof import is_runner, token_of

Random = Callable[[int], bytes]
"""Gives so many bytes that nobody can know."""


class AttemptTokens:
    """The tokens of the open attempt, and what is drawn for the next name.

    What is drawn stays until a status has it: a write that was not answered may have succeeded.
    """

    def __init__(self, random: Random = secrets.token_bytes) -> None:
        self._random = random
        self._open: Tokens | None = None
        self._draw()

    def _draw(self) -> None:
        self._next = Tokens(self._random(32).hex())
        nonce = "".join(ALPHABET[each % len(ALPHABET)] for each in self._random(NONCE_LENGTH))
        self.draw = Draw(nonce, self._next.digest, follows_from(self._next.source))

    @property
    def next(self) -> Tokens:
        """The tokens of the attempt that gets the drawn name."""
        return self._next

    def look(self, attempt: Attempt | None, bodies: Iterable[Body]) -> bool:
        """Whether this process can create what the open attempt lacks. A runner that exists shows the token of its
        report. `attempt`: the one that is recorded last; `bodies`: what the cache has of the job."""
        if attempt is None or attempt.token_digest is None:
            return True
        if attempt.token_digest == self._next.digest:
            self._open = self._next
            self._draw()
        if self._open is None or self._open.digest != attempt.token_digest:
            name = runner_name(attempt.name)
            runner = next((each for each in bodies if (each["kind"], each["metadata"]["name"]) == ("Pod", name)), None)
            shown = Tokens(token_of(runner)) if runner is not None and is_runner(runner, attempt) else None
            self._open = shown if shown is not None and shown.digest == attempt.token_digest else None
        return self._open is not None

    def of(self, attempt: Attempt) -> Tokens | None:
        """The tokens of an attempt that is to be created; None: it needs none. Raises ApiError of kind CONFLICT if this
        process does not have them: another operator recorded the attempt."""
        if attempt.token_digest is None:
            return None
        found = next((each for each in (self._open, self._next) if each and each.digest == attempt.token_digest), None)
        if found is None:
            raise ApiError(ErrorKind.CONFLICT, 409, f"another operator creates {attempt.name}")
        return found
