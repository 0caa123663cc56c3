"""The seam of result stores: what the runner asks of a store."""

from __future__ import annotations

from typing import Any, Dict, Protocol

#: The forms of a value that a store of files keeps; auto: whichever fits.
FORMATS = ("auto", "json", "parquet", "zarr", "pickle")
#: The type name of a value that is a pickle, in Base64. Only the client that submitted the job opens it.
PICKLE = "pickle"


class ResultStore(Protocol):
    """Keeps the value that a graph gave.

    The runner puts the value and writes the record that it gets into the report; the operator copies the record to
    `status.result`. A reader needs nothing but that record (`status_store.StatusStore`, `futures.stored_outcome`).
    """

    def put(self, value: Any) -> Dict[str, Any]:
        """The record of the value that is now kept: at least `type`. Raises NotSerializable and TooLarge (`codec`)."""
        ...
