"""The value of a job whose result is in a store: read when somebody asks for it, and once."""

from __future__ import annotations

import concurrent.futures
import importlib
import io
import json
import platform
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daskjob.client.job_end import status_of
from daskjob.client.store_reading import NO_OPTIONS, StoredFileError, own_options
from daskjob.client.stored_results import StoredCopy
from daskjob.futures.future_errors import ResultGone, UntrustedResult
from daskjob.results.codec import decode
from daskjob.results.stored_value import JSON, NAMES, PARQUET, PICKLE, TYPES_NAME, ZARR

#: What reads a format, by the names of pip.
PACKAGES = {PARQUET: ("pyarrow", "pandas"), ZARR: ("zarr", "numpy"), PICKLE: ("cloudpickle",)}
#: The first version of pyarrow that opens no pickles in files of strangers.
SAFE_PYARROW = (14, 0, 1)
#: Codecs of Zarr's chunks that only change bytes. Others may open pickles, as Zarr's own for objects does.
CODECS = frozenset(
    {"bytes", "endian", "transpose", "crc32c", "blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma", "shuffle"}
)


class StoredOutcome:
    """A job's value in a store. Threads may share it. `trusted`: its pickle may be opened; `options`: with which the
    store is read."""

    def __init__(
        self, job: Mapping[str, Any], place: str, trusted: bool, options: Mapping[str, Any] = NO_OPTIONS
    ) -> None:
        self._options = options
        self._job = job
        self._place = place
        self._trusted = trusted
        self.renew()

    def renew(self) -> None:
        """Forgets a reading that another process has begun."""
        self._lock = threading.Lock()
        self._reading: concurrent.futures.Future[Any] | None = None

    def value(self, timeout: float | None) -> Any:
        """The value. Raises ResultGone, UntrustedResult, and TimeoutError after so many seconds: it is read on. After
        an error, the next call reads anew."""
        with self._lock:
            reading = self._reading
            if reading is None or (reading.done() and reading.exception() is not None):
                reading = self._reading = concurrent.futures.Future()
                threading.Thread(target=self._read, args=(reading,), name="daskjob-result", daemon=True).start()
        return reading.result(timeout)

    def _read(self, reading: concurrent.futures.Future[Any]) -> None:
        try:
            value = read_stored(self._job, self._place, self._trusted, self._options)
        except BaseException as error:
            reading.set_exception(error)
        else:
            reading.set_result(value)


def is_stored(job: Mapping[str, Any]) -> bool:
    """Whether the job's result is in a store."""
    return bool((status_of(job).get("result") or {}).get("location"))


def read_stored(job: Mapping[str, Any], place: str, trusted: bool, options: Mapping[str, Any] = NO_OPTIONS) -> Any:
    """The value of a job's result in a store. `place`: how messages name the job; `options`: with which the store is
    read. Raises ResultGone, and UntrustedResult for a pickle that is not trusted."""
    record = status_of(job)["result"]
    if record.get("format") == PICKLE:
        if not trusted:
            raise untrusted(place, record)
        check_python(place, record)
    try:
        _check_packages(str(record.get("format")), str(record["location"]))
        # Of a job that is trusted, its own options are as good as the user's.
        copy = StoredCopy(job, {**(own_options(job) if trusted else {}), **options})
        if copy.form == PICKLE and not trusted:
            raise untrusted(place, record)
        return _READERS[copy.form](copy)
    except StoredFileError as error:
        raise ResultGone(f"{place} succeeded: {error}") from None
    except (UntrustedResult, ResultGone):
        raise
    except ImportError as error:
        raise ResultGone(f"{place} succeeded, and its result cannot be opened here: {error}") from error
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        where = f"{record.get('format')} at {record['location']}"
        raise ResultGone(f"{place} succeeded, and its result, {where}, cannot be read here: {words}") from error


def untrusted(place: str, record: Mapping[str, Any]) -> UntrustedResult:
    """What the result of a job that this process did not submit raises, if it is a pickle."""
    return UntrustedResult(
        f"the result of {place}, a {record.get('type')}, is a pickle of a job that this process did not submit: "
        "who made it could run code here. attach(name, allow_pickle=True) opens it; results of JSON, Parquet and Zarr "
        "need no trust"
    )


def check_python(place: str, record: Mapping[str, Any]) -> None:
    """Raises ResultGone for a pickle of another minor version of Python, whose bytecode could crash this one. An
    operator of before does not say which it was."""
    theirs, own = str(record.get("python") or ""), platform.python_version()
    if theirs and theirs.split(".")[:2] != own.split(".")[:2]:
        minor = ".".join(theirs.split(".")[:2])
        raise ResultGone(
            f"{place} succeeded, and its result, a {record.get('type')}, is a pickle of Python {theirs}, which was not "
            f"opened in Python {own}: ask for it from Python {minor}, or have the job return what needs no pickle "
            "(numbers, text, lists, dicts; with a store, a DataFrame or an array, too)"
        )


def _check_packages(form: str, location: str) -> None:
    missing = []
    for name in PACKAGES.get(form, ()):
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        words = f"the result is {form} at {location}, and this Python lacks what reads it: pip install"
        raise StoredFileError(f"{words} {' '.join(missing)}")


def _json(copy: StoredCopy) -> Any:
    files = dict(copy.files())
    return decode(files[NAMES[JSON]].decode(), json.loads(files.get(TYPES_NAME, b"{}")))


def _pickle(copy: StoredCopy) -> Any:
    import cloudpickle

    return cloudpickle.loads(dict(copy.files())[NAMES[PICKLE]])


def _parquet(copy: StoredCopy) -> Any:
    """The table, of the type that the job returned; several partitions become one table, as Dask makes them."""
    pyarrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    if _version(pyarrow.__version__) < SAFE_PYARROW:
        least = ".".join(map(str, SAFE_PYARROW))
        raise StoredFileError(
            f"pyarrow {pyarrow.__version__} opens pickles in files of strangers: pip install 'pyarrow>={least}'"
        )
    tables = [parquet.read_table(io.BytesIO(data)) for _, data in copy.files()]
    if copy.type == "pyarrow.Table":
        return pyarrow.concat_tables(tables)
    pandas: Any = importlib.import_module("pandas")
    frames = [each.to_pandas() for each in tables]
    frame = frames[0] if len(frames) == 1 else pandas.concat(frames)
    if copy.type != "pandas.Series":
        return frame
    series = frame.iloc[:, 0]
    # A Series without a name is a column named 0.
    return series.rename(None) if str(series.name) == "0" else series


def _zarr(copy: StoredCopy) -> Any:
    zarr: Any = importlib.import_module("zarr")
    with tempfile.TemporaryDirectory(prefix="daskjob-result-") as folder:
        for path, data in copy.files():
            if path.rpartition("/")[2] in ("zarr.json", ".zarray"):
                _check_codecs(json.loads(data))
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return zarr.open_array(str(Path(folder, NAMES[ZARR])), mode="r")[...]


def _check_codecs(metadata: Any) -> None:
    """Raises StoredFileError for metadata of an array whose chunks could be pickles. Of both formats of Zarr: which one
    counts, the file's name says, and not what is in it."""
    named = [metadata.get("compressor"), *(metadata.get("filters") or ())]
    names = [each["id"] for each in named if each is not None]
    names += [each if isinstance(each, str) else each["name"] for each in metadata.get("codecs") or ()]
    odd = [each for each in names if each not in CODECS]
    if odd:
        raise StoredFileError(f"the array is packed with {odd[0]!r}, which the operator's runner does not write")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int("".join(filter(str.isdigit, each)) or 0) for each in text.split(".")[:3])


_READERS = {JSON: _json, PARQUET: _parquet, ZARR: _zarr, PICKLE: _pickle}
