"""The forms in which a store keeps a value that one process has, and which form a value gets."""

from __future__ import annotations

import importlib
import importlib.util
import json
from typing import Any, Dict, Optional

from daskjob.results import codec, part_writer
from daskjob.results.codec import NotSerializable, TooLarge
from daskjob.results.store import FORMATS

AUTO, JSON, PARQUET, ZARR, PICKLE = FORMATS
#: What an image needs for a form, beside Dask.
NEEDS = {PARQUET: "pyarrow", ZARR: "zarr"}
#: The largest JSON text that a store gets.
JSON_BYTES = 256 * 1024 * 1024
#: The limits of a value there: of its text, of its types, and of both where Kubernetes would store them.
JSON_LIMITS = (JSON_BYTES, JSON_BYTES, 8 * JSON_BYTES)
#: A text of at most so many bytes is its own preview.
SHORT = 4096

#: The name, in the attempt's folder, of the file or folder with the value, by form.
NAMES = {JSON: "value.json", PARQUET: "value.parquet", ZARR: "value.zarr", PICKLE: "value.pickle"}
TYPES_NAME = "types.json"
MANIFEST_NAME = "manifest.json"


def has(form: str) -> bool:
    """Whether this process can write the form."""
    return form not in NEEDS or importlib.util.find_spec(NEEDS[form]) is not None


def form_of(value: Any, wanted: str) -> str:
    """The form that a value gets. Raises NotSerializable if it has not the one that is wanted."""
    table, array = _is_table(value), _is_array(value)
    if wanted == AUTO:
        return PARQUET if table and has(PARQUET) else ZARR if array and has(ZARR) else JSON
    if wanted == PARQUET and not table:
        raise _misfit(value, wanted, "a pandas or Dask DataFrame or Series, or a pyarrow Table")
    if wanted == ZARR and not array:
        raise _misfit(value, wanted, "a NumPy or Dask array with dimensions")
    return wanted


def type_of(value: Any) -> str:
    """The type of the whole result, as a record has it."""
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return f"numpy.ndarray:{value.dtype.str}"
    root = kind.__module__.partition(".")[0]
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{root if root in ('pandas', 'pyarrow') else kind.__module__}.{kind.__qualname__}"


def write_value(value: Any, form: str, put: part_writer.Put, open_store: Any, place: Dict[str, Any]) -> Dict[str, Any]:
    """Writes a value and returns `{type, format, files, preview?}`; the preview is any JSON. Raises NotSerializable,
    TooLarge, or what the store raises."""
    if form == JSON:
        return _write_json(value, put)
    if form == PICKLE:
        return {"type": type_of(value), "format": form, "files": [put(NAMES[form], _pickled(value))]}
    if form == PARQUET:
        answer = part_writer.write_frame(value, open_store, place, f"{NAMES[form]}/{part_name(0)}", 0, None)
        if "refused" in answer:
            raise NotSerializable(f"Parquet cannot hold the result: {answer['refused']}", type_of(value))
        preview = preview_of_rows(answer.pop("head", []))
        return {"type": type_of(value), "format": form, **answer, "preview": preview}
    array = {"shape": list(value.shape), "chunks": _chunks(value), "dtype": value.dtype.str}
    try:
        files = part_writer.zarr_files(array, value, [0] * value.ndim)
    except Exception as error:
        raise NotSerializable(f"Zarr cannot hold the result: {type(error).__name__}: {error}", type_of(value)) from None
    written = [put(f"{NAMES[form]}/{path}", data) for path, data in files.items()]
    return {"type": type_of(value), "format": form, "files": written, "preview": array}


def part_name(number: int) -> str:
    """The name of the file with a partition; names sort as partitions do."""
    return f"part-{number:06d}.parquet"


def preview_of_rows(rows: Any) -> Optional[Any]:
    """As many of the first rows as the preview has room for; None: none."""
    rows = list(rows)[: part_writer.ROWS]
    while rows and len(json_text(rows)) > part_writer.PREVIEW:
        rows.pop()
    return rows or None


def json_text(value: Any) -> str:
    """JSON in which every character is printable, escaped where it is not."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def _write_json(value: Any, put: part_writer.Put) -> Dict[str, Any]:
    try:
        record = codec.encode(value, *JSON_LIMITS, remedy="or give spec.result.format: pickle")
    except TooLarge as error:
        message = f"the result, a {error.type}, takes {error.size} bytes, and JSON may have {JSON_BYTES} of them: "
        message += "return a DataFrame or an array, or give spec.result.format: pickle"
        raise TooLarge(message, error.type, error.size) from None
    text = record["value"]
    files = [put(NAMES[JSON], text.encode())]
    if record.get("types"):
        files.append(put(TYPES_NAME, json.dumps(record["types"]).encode()))
    short = {"preview": json.loads(text)} if len(text) <= SHORT else {}
    return {"type": record["type"], "format": JSON, "files": files, **short}


def _pickled(value: Any) -> bytes:
    cloudpickle: Any = importlib.import_module("cloudpickle")
    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as error:
        raise NotSerializable(
            f"the result cannot be pickled: {type(error).__name__}: {error}", type_of(value)
        ) from None


def _chunks(value: Any) -> list[int]:
    """Chunks of some 16 MiB: whole rows."""
    row = max(1, value.nbytes // max(1, value.shape[0]))
    return [max(1, min(value.shape[0], 16 * 2**20 // row)), *(max(1, each) for each in value.shape[1:])]


def _is_table(value: Any) -> bool:
    kind = type(value)
    name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    return name in ("pandas.DataFrame", "pandas.Series", "pyarrow.Table")


def _is_array(value: Any) -> bool:
    kind = type(value)
    plain = kind.__module__ == "numpy" and kind.__name__ == "ndarray"
    return plain and value.ndim > 0 and value.dtype.kind in "biufcMm"


def _misfit(value: Any, wanted: str, takes: str) -> NotSerializable:
    kind = type_of(value)
    return NotSerializable(
        f"spec.result.format is {wanted}, and the result is a {kind}: return {takes}, or take the format out", kind
    )
