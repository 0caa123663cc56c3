"""The result of a job in a store: tried before the graph starts, written in a folder of the attempt's own, and complete
when its manifest is there."""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
import secrets
import sys
import time
from typing import Any, Mapping, Optional

from daskjob import wire
from daskjob.results import codec, opened_store, part_writer, stored_value
from daskjob.results.codec import NotSerializable, TooLarge
from daskjob.results.opened_store import StoreProblem, open_store, try_store, within
from daskjob.results.stored_value import JSON, MANIFEST_NAME, NAMES, NEEDS, PARQUET, PICKLE, ZARR
from daskjob.runner.shipped import Shipped
from daskjob.wire.jobfile import JobFile, StoreOrders

#: Seconds that each of the two trials may take.
TRIAL = 60.0
#: Seconds more for the way to the worker and back.
WAY = 15.0


class Written:
    """A collection that workers have written: what the manifest says of it."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content


class StoredResult:
    """The store of one attempt's result, a `results.store.ResultStore`. Every method raises StoreProblem."""

    def __init__(self, job: JobFile, orders: StoreOrders) -> None:
        self._job = job
        self._orders = orders
        self._place = {"url": orders.url, "options": orders.options, "folder": job.folder}
        self._trial = ""
        self._pickles: Optional[str] = None

    def for_payload(self, always: bool) -> None:
        """The result is for the Python client: what JSON cannot bring back becomes a pickle if no format is asked
        for, and with `always` any value."""
        if self._orders.form == stored_value.AUTO:
            self._pickles = "always" if always else "else"

    def try_from_runner(self) -> None:
        """Tries what the job will need of store and image."""
        form = self._orders.form
        if not stored_value.has(form):
            needs = f"{opened_store.image_word()} has no {NEEDS[form]}, which result.format {form} needs"
            message = f"{needs}: {opened_store.by_place('add it to the image', f'pip install {NEEDS[form]}')}"
            raise StoreProblem(opened_store.DRIVER_MISSING, message)
        name = f".trial-{secrets.token_hex(4)}"
        content = within(TRIAL, self._orders.url, lambda: try_store(self._open(), name))
        self._trial = f"{name}:{content}"

    def try_from_worker(self, client: Any, address: str) -> None:
        """Tries the same from a worker, which must find there what the runner wrote. `client`: a synchronous one."""
        orders, own = self._orders, f".trial-{secrets.token_hex(4)}"
        arguments = (orders.url, orders.options, self._job.folder, own, self._trial, TRIAL)
        try:
            found = within(
                TRIAL + WAY,
                orders.url,
                lambda: client.run(Shipped(opened_store.try_on_worker), *arguments, workers=[address]),
            )
        except StoreProblem:
            raise
        except Exception as error:
            # The worker may have died meanwhile; it is not the store's fault.
            print(f"daskjob: the store was not tried from a worker: {error!r}", file=sys.stderr, flush=True)
            return
        if found.get(address):
            reason, message = found[address]
            raise StoreProblem(str(reason), f"on a worker: {message}")

    def spread(self, value: Any) -> Any:
        """The tasks by which workers write a Dask DataFrame or array themselves; None for any other value."""
        form = self._orders.form
        if form in (stored_value.AUTO, PARQUET) and stored_value.has(PARQUET) and _is_dask(value, "dataframe"):
            return _Frame(value, self._place)
        if form in (stored_value.AUTO, ZARR) and stored_value.has(ZARR) and _is_dask(value, "array"):
            return _Array(value, self._place)
        return None

    def put(self, value: Any) -> dict[str, Any]:
        """Writes the value, unless workers have, and the manifest last. Returns `{type, format, location, size, sha256,
        python?, preview?}`; the digest is the manifest's. Raises NotSerializable and TooLarge, too."""
        if isinstance(value, Written):
            content = dict(value.content)
            metadata = content.pop("metadata", {})
            content["files"] = [*content["files"], *(self._put(path, data) for path, data in metadata.items())]
        else:
            content = self._write(value)
            _raise_problem(content)
        content["files"] = sorted(content["files"], key=lambda file: str(file["path"]))
        manifest = {
            "version": 1,
            "job": self._job.identity,
            "written": wire.timestamp(time.time()),
            **content,
        }
        data = json.dumps(manifest, indent=1).encode()
        self._open().write(MANIFEST_NAME, data)
        record = {
            "type": content["type"],
            "format": content["format"],
            "location": self._open().url,
            "size": sum(file["size"] for file in content["files"]),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        if content["format"] == PICKLE:
            record["python"] = platform.python_version()
        preview = content.get("preview")
        return record if preview is None else {**record, "preview": stored_value.json_text(preview)}

    def _write(self, value: Any) -> dict[str, Any]:
        form = stored_value.form_of(value, self._orders.form) if self._pickles != "always" else PICKLE
        if form == JSON and self._pickles is not None and not _is_whole(value):
            form = PICKLE
        return stored_value.write_value(value, form, self._put, open_store, self._place)

    def _open(self) -> opened_store.Store:
        return open_store(self._orders.url, self._orders.options).below(*self._job.folder)

    def _put(self, name: str, data: bytes) -> Mapping[str, Any]:
        return part_writer.put_into(open_store, self._place)(name, data)


class _Frame:
    """A Dask DataFrame or Series, which becomes a file a partition."""

    def __init__(self, frame: Any, place: Mapping[str, Any]) -> None:
        delayed: Any = importlib.import_module("dask").delayed
        self._type = f"pandas.{type(frame).__name__}"
        write: Any = delayed(Shipped(part_writer.write_frame), pure=False)
        schema, opening, key = _schema(frame), Shipped(open_store), _key("write-parquet")
        self.tasks = [
            write(
                *(part, opening, place, f"{NAMES[PARQUET]}/{stored_value.part_name(at)}", at, schema),
                dask_key_name=f"{key}-{at}",
            )
            for at, part in enumerate(frame.to_delayed())
        ]

    def collect(self, answers: list[Any]) -> Written:
        files = _files(answers, self._type)
        rows = [row for answer in answers for row in answer["head"]]
        preview = stored_value.preview_of_rows(rows)
        content = {"type": self._type, "format": PARQUET, "rows": sum(answer["rows"] for answer in answers)}
        return Written({**content, "files": files, "preview": preview})


class _Array:
    """A Dask array, which becomes a chunk of Zarr a block."""

    def __init__(self, array: Any, place: Mapping[str, Any]) -> None:
        delayed: Any = importlib.import_module("dask").delayed
        self._type = f"numpy.ndarray:{array.dtype.str}"
        if any(length != length for length in array.shape):
            message = "the result is a Dask array of unknown size: call compute_chunk_sizes() on it before"
            raise NotSerializable(message, self._type)
        chunks = [max(1, each) for each in array.chunksize]
        array = array.rechunk(tuple(chunks))
        self._whole = {"shape": [int(each) for each in array.shape], "chunks": chunks, "dtype": array.dtype.str}
        write: Any = delayed(Shipped(part_writer.write_block), pure=False)
        opening, blocks, key = Shipped(open_store), array.to_delayed(), _key("write-zarr")
        self.tasks = [
            write(
                blocks[index],
                opening,
                place,
                NAMES[ZARR],
                self._whole,
                [at * length for at, length in zip(index, chunks)],  # noqa: B905
                dask_key_name=f"{key}-{number}",
            )
            for number, index in enumerate(_indexes(blocks.shape))
        ]

    def collect(self, answers: list[Any]) -> Written:
        files = _files(answers, self._type)
        metadata = {f"{NAMES[ZARR]}/{path}": data for path, data in part_writer.zarr_files(self._whole).items()}
        content = {"type": self._type, "format": ZARR, "files": files, "preview": self._whole, "metadata": metadata}
        return Written(content)


def _is_whole(value: Any) -> bool:
    """Whether the value comes back from JSON as it is."""
    try:
        codec.encode(value, *stored_value.JSON_LIMITS, exact=True)
    except (NotSerializable, TooLarge):
        return False
    return True


def _files(answers: list[Any], type_name: str) -> list[Any]:
    for answer in answers:
        _raise_problem(answer)
        if "refused" in answer:
            raise NotSerializable(f"a part of the result cannot be written: {answer['refused']}", type_name)
    return [file for answer in answers for file in answer["files"]]


def _raise_problem(answer: Mapping[str, Any]) -> None:
    if "problem" in answer:
        raise StoreProblem(*answer["problem"])


def _key(prefix: str) -> str:
    """The beginning of keys that no other tasks have, which Dask counts under the prefix."""
    return f"{prefix}-0{secrets.token_hex(8)}"


def _indexes(shape: Any) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for length in shape:
        found = [(*index, at) for index in found for at in range(length)]
    return found


def _is_dask(value: Any, kind: str) -> bool:
    """Whether it is a Dask DataFrame or Series, or an array with dimensions, without an import of either."""
    module: Any = sys.modules.get(f"dask.{kind}")
    names = ("DataFrame", "Series") if kind == "dataframe" else ("Array",)
    if module is None or not isinstance(value, tuple(getattr(module, name) for name in names)):
        return False
    array: Any = value
    return kind == "dataframe" or (array.ndim > 0 and array.dtype.kind in "biufcMm")


def _schema(frame: Any) -> Optional[Any]:
    """Arrow's schema of all partitions: one without a value in a column could not tell the column's type."""
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
        filled = frame._meta_nonempty
        filled = filled if hasattr(filled, "columns") else filled.to_frame()
        # With the index: of a part that was filtered, it no longer counts from 0, whatever the whole one promised.
        return pyarrow.Schema.from_pandas(filled, preserve_index=True)
    except Exception:
        return None
