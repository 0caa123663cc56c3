"""Writes one part of a table or array into a store: a partition as Parquet, a block as Zarr.

Workers run these functions for Dask's collections, each for its own parts; the runner does for what it has itself. As
`opened_store`, this module is sent to workers as source: it imports nothing of this project.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from typing import Any, Callable, Mapping, Optional, Sequence

#: A preview of a table has so many rows, of texts so long, and takes so many characters at most.
ROWS = 20
TEXT = 200
PREVIEW = 16 * 1024
#: Only the first parts send rows for the preview.
FIRST_PARTS = 5

#: Opens a store by URL, options and the folder's names, and writes a file into it; returns what the manifest says of
#: it. Raises an error with `reason` and `message`.
Put = Callable[[str, bytes], Mapping[str, Any]]


def put_into(open_store: Any, place: Mapping[str, Any]) -> Put:
    """A function that writes files into the attempt's folder. `place`: url, options and folder."""
    store = open_store(place["url"], place["options"]).below(*place["folder"])

    def put(name: str, data: bytes) -> Mapping[str, Any]:
        store.write(name, data)
        return {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return put


def write_frame(
    frame: Any, open_store: Any, place: Mapping[str, Any], name: str, number: int, schema: Any
) -> dict[str, Any]:
    """Writes a table of pandas or Arrow. `schema`: Arrow's, which all parts have; None, or one that does not fit: the
    part's own. Returns `{files, rows, head}`, or `{problem}` or `{refused}` for what only the runner can tell."""
    try:
        table = _table(frame, schema)
        data = _parquet(table)
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    try:
        file = put_into(open_store, place)(name, data)
    except Exception as error:
        return _problem(error)
    return {"files": [file], "rows": table.num_rows, "head": head(frame) if number < FIRST_PARTS else []}


def _table(frame: Any, schema: Any) -> Any:
    pyarrow: Any = importlib.import_module("pyarrow")
    if isinstance(frame, pyarrow.Table):
        return frame
    frame = frame.to_frame() if not hasattr(frame, "columns") else frame
    try:
        return pyarrow.Table.from_pandas(frame, schema=schema, preserve_index=schema is not None or None)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError, KeyError):
        if schema is None:
            raise
        return pyarrow.Table.from_pandas(frame)


def _parquet(table: Any) -> bytes:
    pyarrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def head(frame: Any) -> list[Any]:
    """The first rows of a table, as JSON objects; [] if there is no such form."""
    try:
        first = frame.slice(0, ROWS).to_pandas() if hasattr(frame, "to_pandas") else frame.head(ROWS)
        first = first if hasattr(first, "columns") else first.to_frame()
        first.columns = [str(each) for each in first.columns]
        if type(first.index).__name__ != "RangeIndex":
            first = first.reset_index()
        rows: list[Any] = json.loads(first.to_json(orient="records", date_format="iso", default_handler=str))
        return [{name: shortened(value) for name, value in row.items()} for row in rows]
    except Exception:
        return []


def shortened(value: Any) -> Any:
    """The value, or the beginning of its text."""
    if isinstance(value, (dict, list)) and len(json.dumps(value)) > TEXT:
        return json.dumps(value)[:TEXT] + "…"
    return value[:TEXT] + "…" if isinstance(value, str) and len(value) > TEXT else value


def write_block(
    block: Any, open_store: Any, place: Mapping[str, Any], name: str, array: Mapping[str, Any], corner: Sequence[int]
) -> dict[str, Any]:
    """Writes a block of an array. `array`: `{shape, chunks, dtype}` of the whole; `corner`: where the block begins.
    Returns as `write_frame` does, without rows."""
    try:
        files = zarr_files(array, block, corner)
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    try:
        put = put_into(open_store, place)
        return {"files": [put(f"{name}/{path}", data) for path, data in files.items() if not _is_metadata(path)]}
    except Exception as error:
        return _problem(error)


def zarr_files(array: Mapping[str, Any], block: Optional[Any] = None, corner: Sequence[int] = ()) -> dict[str, bytes]:
    """The files of an array as Zarr has them, by path: its metadata, and the chunks of one block that begins at
    `corner`."""
    zarr: Any = importlib.import_module("zarr")
    kept: dict[str, Any] = {}
    options = {"shape": tuple(array["shape"]), "chunks": tuple(array["chunks"]), "dtype": array["dtype"]}
    if int(zarr.__version__.partition(".")[0]) >= 3:
        target = zarr.create_array(store=zarr.storage.MemoryStore(kept), **options)
    else:
        target = zarr.create(store=kept, **options)
    if block is not None:
        target[tuple(slice(at, at + length) for at, length in zip(corner, block.shape))] = block  # noqa: B905
    return {path: each.to_bytes() if hasattr(each, "to_bytes") else bytes(each) for path, each in kept.items()}


def _is_metadata(path: str) -> bool:
    return path.rpartition("/")[2] in ("zarr.json", ".zarray", ".zattrs", ".zgroup")


def _problem(error: Exception) -> dict[str, Any]:
    reason, message = getattr(error, "reason", ""), getattr(error, "message", "")
    if not reason:
        raise error
    return {"problem": [reason, message]}
