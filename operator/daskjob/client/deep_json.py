"""Reads JSON of any depth: who may create jobs in a namespace must not keep others from listing theirs."""

from __future__ import annotations

import json
import re
from typing import Any

#: Levels of an answer that are kept; a list and its items are three of them. No field of a job lies deeper.
LEVELS = 200
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def parse(text: bytes) -> Any:
    """The value. What lies too deep for Python to read or to write is None. Raises ValueError if the text is not
    JSON."""
    return json.loads(cut(text))


def cut(text: bytes, levels: int = LEVELS) -> bytes:
    """The same JSON, with `null` for each list and each mapping that lies deeper than that many levels."""
    pieces, level, kept = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token.group() in (b"[", b"{"):
            level += 1
            if level == levels + 1:
                pieces += [text[kept : token.start()], b"null"]
        elif token.group() in (b"]", b"}"):
            if level == levels + 1:
                kept = token.end()
            level -= 1
    return b"".join([*pieces, text[kept:]]) if pieces else text
