"""Texts without what a terminal obeys, and of a bounded size."""

from __future__ import annotations

import re

#: What a terminal obeys, by ECMA-48 in its forms of seven and of eight bits: control sequences (colours, the cursor),
#: strings (the window's title) with their ends, and other escapes. A string ends where another one begins: a text of
#: nothing but beginnings is searched once, not once for each.
_TERMINAL_CODE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)


def clean(text: str, lines: bool = True) -> str:
    """The text without what a terminal obeys, and without control, direction and unassigned characters. Line ends and
    tabs stay if `lines`, else they become blanks."""
    if text.isprintable():
        return text
    text = _TERMINAL_CODE.sub("", text)
    keep = "\n\t" if lines else ""
    return "".join(c if c.isprintable() or c in keep else " " if c.isspace() else "" for c in text)


def clip(text: str, limit: int, keep_end: bool = False) -> str:
    """At most `limit` bytes of UTF-8, with an ellipsis where something was cut: the end, or the start if `keep_end`."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    size = max(0, limit - 3)
    if keep_end:
        return "…" + data[len(data) - size :].decode("utf-8", "ignore")
    return data[:size].decode("utf-8", "ignore") + "…"
