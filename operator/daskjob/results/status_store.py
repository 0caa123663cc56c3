"""The store that needs no storage: the value is in the record itself, and so in the job's status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict

from daskjob.results import codec
from daskjob.results.store import PICKLE


class StatusStore:
    """Keeps values of at most `limit` bytes of JSON text: `{type, value, types?, size, sha256}`. `exact`: only those
    that `get` gives back as they were."""

    def __init__(self, limit: int = codec.RESULT_BYTES, exact: bool = False) -> None:
        self.limit = limit
        self.exact = exact

    def put(self, value: Any) -> Dict[str, Any]:
        """The record with the value in it. Raises NotSerializable, and TooLarge if it does not fit."""
        return codec.encode(value, self.limit, exact=self.exact)

    def get(self, record: Mapping[str, Any]) -> Any:
        """The value of a record. Raises ValueError if there is none or it cannot be read."""
        text = record.get("value")
        if not isinstance(text, str):
            raise ValueError("the result has no value: it did not fit, or had no JSON form")
        if (record.get("types") or {}).get("") == PICKLE:
            raise ValueError("the result is a pickle: only the Python client that submitted the job opens it")
        return codec.decode(text, record.get("types"))
