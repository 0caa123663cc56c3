"""The responses that kopf reads: a list's items and a watch's objects cut down to what their reader keeps.

kopf parses them itself, in a way that a deep object breaks, and holds whole pages and objects. So its HTTP session has
this class of responses (`response_class`), which hands kopf only what is kept.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp

from daskjob.streams.shallow_json import Body, ListPage, parse, slices

#: What to keep of an object; None: nothing, as if it did not exist. Raises ValueError for what is no object.
Keep = Callable[[Body], Body | None]
#: Whether the reader of a watch has all that an event brings, by what is kept of its object.
IsKnown = Callable[[Body], bool]


def _nothing_is_known(_: Body) -> bool:
    return False


def response_class(
    keepers: Mapping[str, Keep],
    is_known: IsKnown = _nothing_is_known,
    list_keepers: Mapping[str, Keep] | None = None,
) -> type[aiohttp.ClientResponse]:
    """A class of responses for a session. `keepers`: what to keep of the objects of a resource, by its plural; other
    responses stay as they are. `is_known`: which events of a watch kopf need not handle. `list_keepers`: what kopf gets
    of a list's items, if that is something else."""
    of_lists = keepers if list_keepers is None else list_keepers

    class KeptResponse(aiohttp.ClientResponse):
        async def start(self, connection: Any) -> KeptResponse:
            await super().start(connection)
            keep = keepers.get(self.url.name)
            if keep is not None and self.status < 400 and self.url.query.get("watch") == "true":
                # mypy: the stream has only the methods that kopf calls.
                self.content = KeptStream(self.content, keep, is_known)  # type: ignore[assignment]
            return self

        async def json(self, **arguments: Any) -> Any:
            keep = of_lists.get(self.url.name)
            if keep is None or self.status >= 400:
                return await super().json(**arguments)
            text = await self.read()
            self._body = None
            try:
                return ListPage(keep).read(slices(text))
            except ValueError as error:
                # kopf lists again after this error; any other would end the process.
                raise aiohttp.ClientPayloadError(f"{self.url.path}: {error}") from error

    return KeptResponse


class KeptStream:
    """The stream of a watch: each line with what is kept of its object."""

    def __init__(self, stream: aiohttp.StreamReader, keep: Keep, is_known: IsKnown) -> None:
        self._stream = stream
        self._keep = keep
        self._is_known = is_known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        parts: list[bytes] = []
        async for chunk in self._stream.iter_chunked(size):
            *lines, rest = chunk.split(b"\n")
            if lines:
                parts.append(lines[0])
                lines[0] = b"".join(parts)
                parts = []
                # One object at a time: the next is parsed when kopf has taken this one.
                for line in lines:
                    if line.strip():
                        yield self._kept(line)
            parts.append(rest)
        # What follows the last line break is an event that the connection's end cut off.

    def _kept(self, line: bytes) -> bytes:
        try:
            event = parse(line, around=1)
            kind, body = event["type"], event["object"]
            changes = kind in ("ADDED", "MODIFIED", "DELETED")
            kept = self._keep(body) if changes else None
        except (ValueError, KeyError, TypeError) as error:
            raise aiohttp.ClientPayloadError(f"not a watch event: {error}") from error
        if changes:
            if kept and (kind == "DELETED" or not self._is_known(kept)):
                event = {"type": kind, "object": kept}
            else:
                # A bookmark only says up to where the watch has come.
                version = {"resourceVersion": body["metadata"].get("resourceVersion")}
                event = {"type": "BOOKMARK", "object": {"metadata": version}}
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"
