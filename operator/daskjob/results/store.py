"""The seam of result stores: what the runner asks of a store, and what a reader of results asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict, Protocol

#: The forms of a value that a store of files keeps; auto: whichever fits.
FORMATS = ("auto", "json", "parquet", "zarr", "pickle")
#: The type name of a value that is a pickle, in Base64. Only the client that submitted the job opens it.
PICKLE = "pickle"


class ResultStore(Protocol):
    """Keeps the value that a graph gave.

    The runner puts the value and writes the record that it gets into the report; the operator copies the record to
    `status.result`. A reader gets the value by that record, without anything else.
    """

    def put(self, value: Any) -> Dict[str, Any]:
        """The record of the value that is now kept: at least `type`. Raises NotSerializable and TooLarge (`codec`)."""
        ...

    def get(self, record: Mapping[str, Any]) -> Any:
        """The value of a record. Raises ValueError if the record has no value or its value cannot be read."""
        ...
