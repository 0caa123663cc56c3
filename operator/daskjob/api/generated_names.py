"""Names as an API server makes them of `metadata.generateName`."""

from __future__ import annotations

import secrets

from daskjob.api.tokens import ALPHABET


def generated_name(prefix: str) -> str:
    """The prefix with five characters that are drawn."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(5))
