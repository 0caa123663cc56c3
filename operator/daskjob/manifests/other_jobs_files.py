"""A job may not name the Secret with the files of an attempt, of its own or of another job: with the key in it, it
could run code in that attempt's pods. Nor one with a payload: its closures may hold a password."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from daskjob.api.attempt_names import is_files_name
from daskjob.api.payload_secret import is_payload_secret_name
from daskjob.errors import SpecError
from daskjob.schema.field_error import join, short_name

#: Fields whose texts name nothing: Kubernetes passes them on to the process.
_TEXTS = ("args", "command", "value")


def check_no_files(part: Any, path: str) -> None:
    """Raises SpecError for the first field that has the name of such a Secret. Any field may: a volume's, projected or
    of a driver, a variable's, one that pulls images. `part`: what a user wrote; `path`: the field that has it."""
    where = next(_named(part, path), None)
    if where is not None:
        raise SpecError(
            where, "names files of a job (its attempt's, with the key, or its payload): no job may use another's"
        )


def _named(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if _is_a_jobs(value):
            yield path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _TEXTS:
                yield from _named(each, join(path, name))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            name = each.get("name") if isinstance(each, Mapping) else None
            step = short_name(name) if isinstance(name, str) and not _is_a_jobs(name) else index
            yield from _named(each, f"{path}[{step}]")


def _is_a_jobs(name: str) -> bool:
    return is_files_name(name) or is_payload_secret_name(name)
