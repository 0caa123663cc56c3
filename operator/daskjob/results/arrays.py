"""NumPy scalars and arrays in results. Encoding never imports NumPy: who returns its values has loaded it."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from typing import Any

#: dtype kinds as NumPy names them: bool, ints, floats, complex, dates, durations, text, bytes.
_KINDS = "biufcMmUS"
#: The type name of an array of Python's objects, before its shape.
OBJECTS = "numpy.ndarray[object]:"


def encode_numpy(value: Any) -> tuple[str, Callable[[], Any]] | None:
    """The type name of a NumPy scalar or array, and a function that gives its plain value; None if it is neither.

    `numpy.int64`, `numpy.ndarray:<f8` (`numpy.ndarray:<f8:0,3` where an empty array's shape would be lost). An empty
    type name: the value cannot be encoded, and the function gives the reason.
    """
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, _kinds(numpy)):
        return None
    dtype = value.dtype
    array = isinstance(value, numpy.ndarray)
    if array and type(value) is not numpy.ndarray:
        kind = f"{type(value).__module__}.{type(value).__name__}"
        return "", lambda: f"a {kind} has no JSON form: return a plain array or a list"
    if array and dtype.kind == "O" and value.ndim:
        return OBJECTS + ",".join(str(length) for length in value.shape), value.tolist
    if dtype.kind not in _KINDS:
        return "", lambda: f"NumPy's dtype {dtype} has no JSON form: return lists, dicts or an array of a plain dtype"
    name = f"numpy.ndarray:{dtype.str}" if array else f"numpy.{_scalar_name(dtype)}"
    if array and value.size == 0 and value.ndim > 1:
        name += ":" + ",".join(str(length) for length in value.shape)
    if dtype.kind in "fc" and dtype.itemsize > (8 if dtype.kind == "f" else 16):
        return "", lambda: f"NumPy's {dtype.name} is wider than JSON's numbers: use float64 or complex128"
    return name, lambda: _plain(numpy, value, dtype.kind)


def _kinds(numpy: Any) -> Any:
    # Both are missing while NumPy is being imported.
    return getattr(numpy, "generic", ()), getattr(numpy, "ndarray", ())


def _scalar_name(dtype: Any) -> str:
    return {"U": "str", "S": "bytes", "b": "bool"}.get(dtype.kind, str(dtype.name))


def _plain(numpy: Any, value: Any, kind: str) -> Any:
    if kind == "M":
        # In this machine's byte order: NumPy misreads the other one here, as it does below.
        return numpy.datetime_as_string(value.astype(value.dtype.newbyteorder("="))).tolist()
    if kind == "m":
        return value.astype("int64").tolist()
    if kind in "cS":
        form = repr if kind == "c" else _base64
        return _each(value.tolist(), form)
    return value.tolist()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _naive(text: Any) -> str:
    # NumPy has no time zones: it warns and ignores them.
    if not isinstance(text, str) or not re.fullmatch(r"[-+]?\d+(-\d\d){0,2}(T[\d:.]+)?|NaT", text):
        raise ValueError(f"not a date: {str(text)[:80]!r}")
    return text


def _each(value: Any, form: Any) -> Any:
    return [_each(item, form) for item in value] if isinstance(value, list) else form(value)


def decode_numpy(name: str, value: Any) -> Any:
    """The NumPy scalar or array of a `numpy.…` type name and its plain value; the plain value if there is no NumPy."""
    try:
        import numpy
    except ImportError:
        return value
    if name.startswith(OBJECTS):
        return _objects(numpy, [int(length) for length in name[len(OBJECTS) :].split(",")], value)
    found = re.fullmatch(
        r"numpy\.(?:ndarray:([<>|=]?[a-zA-Z]\d*(?:\[\w+\])?)(?::([\d,]+))?|([a-z]+\d*(?:\[\w+\])?))"
        r"(?::(nan|inf|-inf))?",
        name,
    )
    if found is None:
        return value
    dtype_text, shape, scalar, special = found.groups()
    if special:
        value = float(special)
    dtype = numpy.dtype({"str": "U", "bytes": "S"}.get(scalar, scalar) if scalar else dtype_text)
    if dtype.kind in "cS":
        value = _each(value, complex if dtype.kind == "c" else base64.b64decode)
    if dtype.kind == "M":
        value = _each(value, _naive)
    if dtype.kind == "m":
        array = numpy.array(value, dtype="int64").astype(dtype)
    else:
        array = numpy.array(value, dtype=dtype.newbyteorder("=")).astype(dtype)
    if scalar:
        return array[()]
    return array.reshape([int(length) for length in shape.split(",")]) if shape else array


def _objects(numpy: Any, shape: list[int], value: Any) -> Any:
    """An array of objects: what is below as many levels as it has dimensions."""
    for length in shape[:-1]:
        if not isinstance(value, list) or any(not isinstance(each, list) for each in value):
            raise ValueError(f"not {length} lists")
        value = [item for each in value for item in each]
    if not isinstance(value, list):
        raise ValueError("not a list")
    array = numpy.empty(len(value), dtype=object)
    for number, item in enumerate(value):
        array[number] = item
    return array.reshape(shape)
