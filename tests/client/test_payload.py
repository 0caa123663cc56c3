"""What the client pickles, and what the runner makes of it before it opens anything."""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import hashlib
import json
import pickle
import platform
import re
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy
import pandas
import pytest

import daskjob
from daskjob.api.payload_secret import MOST_BYTES, is_payload_secret_name, payload_secret_name
from daskjob.futures import envelope
from daskjob.results.codec import RESULT_BYTES, NotSerializable, TooLarge
from daskjob.results.status_store import StatusStore
from daskjob.runner import payload as opening
from daskjob.runner.archive import build as build_runner
from daskjob.wire.jobfile import InvalidJob, JobFile

JOB = JobFile(entrypoint="m:f", scheduler="tls://s:1")
#: Bytes that no compression makes fewer.
NOISE = Random(1).randbytes(MOST_BYTES)
#: A payload whose pickle is not compressed as its header says.
NOT_COMPRESSED = json.dumps({"format": 2, "kind": "call", "sha256": hashlib.sha256(b"x").hexdigest()}).encode() + b"\nx"


class Mood(enum.Enum):
    GOOD = "good"


@dataclasses.dataclass(frozen=True)
class Spot:
    x: int


class Pair(NamedTuple):
    left: int
    right: int


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()


def add(a: int, b: int = 0) -> int:
    return a + b


def numbers() -> Any:
    yield 1


def written(folder: Path, data: bytes) -> str:
    path = folder / "payload"
    path.write_bytes(data)
    return str(path)


def changed(folder: Path, **header: Any) -> str:
    """A payload whose header says something else."""
    line, body = envelope.call(add, (1,), {}, ()).data.split(b"\n", 1)
    return written(folder, json.dumps({**json.loads(line), **header}).encode() + b"\n" + body)


def other_versions(**versions: str) -> dict[str, str]:
    return {**envelope.versions(), **versions}


class Bomb:
    """Says so when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was opened",)


def test_a_call_arrives_as_it_was(tmp_path: Path) -> None:
    sent = envelope.call(add, (3,), {"b": 4}, ())
    assert hashlib.sha256(sent.data).hexdigest() == sent.sha256
    target, job = opening.opened(JOB, written(tmp_path, sent.data))
    assert target(*job.args, **job.kwargs) == 7
    assert sent.label.endswith("test_payload:add")


def test_two_payloads_of_one_call_differ() -> None:
    """So that the Secret of a job that was deleted is not the next one's."""
    assert envelope.call(add, (1,), {}, ()).sha256 != envelope.call(add, (1,), {}, ()).sha256


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        (
            "python",
            "3.8.1",
            r"python differs: use an image with python 3\.8, or submit from python 3\.\d+\. Versions: ",
        ),
        ("cloudpickle", "1.6.0", r"cloudpickle differs: use an image with cloudpickle 1, or"),
        ("cloudpickle", "", r"cloudpickle none at the client"),
    ],
)
def test_other_versions_are_told_before_anything_is_opened(name: str, version: str, words: str, tmp_path: Path) -> None:
    line, _ = envelope.call(add, (1,), {}, ()).data.split(b"\n", 1)
    body = pickle.dumps(Bomb())
    header = {**json.loads(line), "sha256": hashlib.sha256(body).hexdigest()}
    header["versions"] = other_versions(**{name: version})
    with pytest.raises(opening.VersionMismatch, match=words) as error:
        opening.opened(JOB, written(tmp_path, json.dumps(header).encode() + b"\n" + body))
    for each in ("python", "cloudpickle", "dask", "distributed"):
        assert f"{each} {header['versions'][each] or 'none'} at the client" in str(error.value)


def test_another_patch_of_python_and_another_dask_are_no_reason(tmp_path: Path) -> None:
    python = ".".join([*map(str, sys.version_info[:2]), "99"])
    versions = other_versions(python=python, dask="2019.1.0")
    target, _ = opening.opened(JOB, changed(tmp_path, versions=versions))
    assert target(1) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it has no header"),
        (b"\x80\x04.", "it has no header"),
        (b"[1]\nx", "it has no header"),
        (b'{"format": 3, "kind": "call", "sha256": ""}\n', "a later client made it"),
        (b'{"format": 1, "kind": "odd", "sha256": ""}\n', "a later client made it"),
        (b'{"format": 1, "kind": "call", "sha256": "0"}\nx', "its content is not what its header says"),
        (NOT_COMPRESSED, "its content is not what its header says"),
        (b"x" * 100_000, "it has no header"),
    ],
)
def test_what_is_no_payload_is_told(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidJob, match=words):
        opening.opened(JOB, written(tmp_path, data))


def test_a_payload_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidJob, match=r"payload cannot be read.*No such file"):
        opening.opened(JOB, str(tmp_path / "nothing"))


@pytest.mark.parametrize(("field", "value"), [("args", [1]), ("kwargs", {"a": 1}), ("keys", ["a"])])
def test_arguments_beside_a_payload_are_a_mistake(field: str, value: Any, tmp_path: Path) -> None:
    path = written(tmp_path, envelope.call(add, (1,), {}, ()).data)
    with pytest.raises(InvalidJob, match=rf"spec\.graph\.{field}: .*leave it out"):
        opening.opened(dataclasses.replace(JOB, **{field: value}), path)


def test_a_module_that_the_image_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("def f(): return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here  # type: ignore[import-not-found]

    by_reference = written(tmp_path, envelope.call(only_here.f, (), {}, ()).data)
    by_value = envelope.call(only_here.f, (), {}, (only_here,)).data
    monkeypatch.undo()
    del sys.modules["only_here"]
    with pytest.raises(opening.Unreadable, match=r"the module 'only_here'.*connect\(by_value=\[only_here\]\)"):
        opening.opened(JOB, by_reference)
    target, _ = opening.opened(JOB, written(tmp_path, by_value))
    assert target() == 1


def test_what_does_not_fit_is_told_with_its_largest_parts() -> None:
    with pytest.raises(daskjob.PayloadTooLarge, match=r"args\[1\] \d{7}.*nothing was created") as error:
        envelope.call(dict, ([1], NOISE), {"b": b"y" * 1000}, ())
    assert error.value.size > error.value.limit == MOST_BYTES
    assert list(error.value.parts)[:2] == ["args[1]", "kwargs['b']"]
    assert len(envelope.call(add, (NOISE[:-3000],), {}, ()).data) <= MOST_BYTES


def test_what_does_not_fit_as_it_is_may_fit_compressed(tmp_path: Path) -> None:
    """Only that is compressed: an operator of before opens all that it could."""
    call = envelope.call(add, (b"x" * 30 * MOST_BYTES,), {}, ()).data
    assert len(call) < MOST_BYTES / 10
    assert json.loads(call.partition(b"\n")[0])["format"] == envelope.COMPRESSED
    _, job = opening.opened(JOB, written(tmp_path, call))
    assert job.args == [b"x" * 30 * MOST_BYTES]
    small = envelope.call(add, (b"x" * (MOST_BYTES - 3000),), {}, ()).data
    assert json.loads(small.partition(b"\n")[0])["format"] == envelope.FORMAT
    with pytest.raises(daskjob.PayloadTooLarge, match=r"take 64\d{6} bytes"):
        envelope.call(add, (b"x" * envelope.MOST_COMPRESSED,), {}, ())


def test_what_a_function_takes_along_is_named() -> None:
    """A closure over large data is found by the name that it has in the code."""
    table, small = NOISE, 3
    with pytest.raises(daskjob.PayloadTooLarge, match=r"function: table \d{7}, .*function: small \d+"):
        envelope.call(lambda: (table, small), (), {}, ())


def test_what_cannot_be_pickled_is_named() -> None:
    held = Locked()
    cases: list[tuple[Any, tuple[Any, ...], str]] = [
        (add, (1, {"a": [held]}), "args[1]['a'][0].lock"),
        (lambda: held, (), "function: held.lock"),
        (functools.partial(add, threading.Lock()), (), "function"),
    ]
    for function, arguments, path in cases:
        with pytest.raises(daskjob.NotPicklable, match=re.escape(path)) as error:
            envelope.call(function, arguments, {}, ())
        assert error.value.path.startswith(path)


@pytest.mark.parametrize("function", [numbers, 3, "add"])
def test_what_no_job_can_call(function: Any) -> None:
    with pytest.raises(TypeError, match=r"generator|a function was expected"):
        envelope.call(function, (), {}, ())


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        (
            (),
            {},
            r"add\(a: 'int', b: 'int' = 0\) -> 'int' does not take these arguments: missing a required argument: 'a'$",
        ),
        ((1, 2, 3), {}, "too many positional arguments$"),
        ((1,), {"image": "x"}, r"unexpected keyword argument 'image'; options of the job go into with_options\(image="),
    ],
)
def test_arguments_that_do_not_fit_are_told_before_there_is_a_job(args: Any, kwargs: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        envelope.call(add, args, kwargs, ())


def test_what_has_no_signature_or_gets_a_client_may_be_called() -> None:
    @functools.wraps(add)
    def with_one(*args: Any) -> Any:
        return add(1, *args)

    assert envelope.call(with_one, (), {}, ()).data
    with pytest.raises(TypeError, match="too many positional arguments"):
        envelope.mapped(add, [[1], [2], [3]], ())
    for function, args in ((min, (1, 2)), (lambda client, a: a, (1,)), (lambda a, client=None: a, (1,)), (dict, ())):
        assert envelope.call(function, args, {}, ()).data


@pytest.mark.parametrize("function", [lambda: 1, functools.partial(add, 1), Locked, add, numbers.__call__, print])
def test_each_label_is_an_entry_point(function: Any) -> None:
    assert re.fullmatch(r"[A-Za-z_]\w*([.][A-Za-z_]\w*)*:[A-Za-z_]\w*([.][A-Za-z_]\w*)*", envelope.label_of(function))


def test_the_name_of_a_secret_follows_from_job_and_digest() -> None:
    name = payload_secret_name("a" * 40, "0123456789abcdef" * 4)
    assert (name, len(name) <= 63) == (f"{'a' * 40}-payload-0123456789", True)
    assert is_payload_secret_name(name)
    assert not is_payload_secret_name("my-payload")


@pytest.mark.parametrize(
    "value",
    [Mood.GOOD, Spot(1), Pair(1, 2), pandas.Series([1, 2], index=["a", "b"]), {numpy.int64(1): 2}, {Spot(2): 1}],
    ids=lambda value: type(value).__name__,
)
def test_a_result_that_json_would_change_is_a_pickle(value: Any) -> None:
    """A future gives what the function returned, not what JSON makes of it."""
    record = opening.PickleStore(RESULT_BYTES).put(value)
    assert record["types"] == {"": "pickle"}
    found = pickle.loads(base64.b64decode(json.loads(record["value"])))
    assert type(found) is type(value)
    assert [type(each) for each in found] == [type(each) for each in value] if isinstance(value, dict) else True
    assert found.equals(value) if isinstance(value, pandas.Series) else found == value


def test_what_json_gives_back_as_it_was_is_json() -> None:
    for value in ({1: (2,)}, {("a", 1): {2.5}}, range(3), numpy.arange(3), {None: [True]}):
        assert "pickle" not in opening.PickleStore(RESULT_BYTES).put(value).get("types", {}).values()


def test_a_result_without_a_form_in_json_is_a_pickle() -> None:
    store = opening.PickleStore(RESULT_BYTES)
    assert store.put([1]) == StatusStore().put([1])
    record = store.put(Locked)
    assert (record["types"], record["type"], record["python"]) == ({"": "pickle"}, "type", platform.python_version())
    with pytest.raises(ValueError, match="only the Python client"):
        StatusStore().get(record)
    for value in (Locked(), numbers()):
        with pytest.raises(
            NotSerializable, match=r"cannot be pickled.*: return what can be, such as list\(...\) of a gen"
        ):
            store.put(value)
    with pytest.raises(TooLarge, match="as a pickle"):
        store.put(dataclasses.make_dataclass("Large", ["text"])("x" * RESULT_BYTES))
    with pytest.raises(TooLarge, match=r"the result, a str, takes \d+ bytes, and"):
        store.put("x" * (RESULT_BYTES + 1))


def test_who_wants_the_client_in_a_runner_is_told(tmp_path: Path) -> None:
    """The program of the runner is called daskjob, too."""
    (tmp_path / "runner.pyz").write_bytes(build_runner())
    program = "import sys; sys.path.insert(0, 'runner.pyz'); import daskjob; daskjob.connect()"
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert "daskjob.connect: a job's runner has only its own part of daskjob" in done.stderr


def test_chunks_need_nothing_of_this_package(tmp_path: Path) -> None:
    """A worker's image has nothing of it."""
    data = envelope.mapped(pow, [[1, 2, 3], [2, 2, 2]], (), 2).data
    (tmp_path / "body").write_bytes(data.split(b"\n", 1)[1])
    program = """
import json, pickle, sys
class Absent:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] == "daskjob":
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
content = pickle.load(open("body", "rb"))
print(json.dumps([content["function"](*chunk) for chunk in zip(*content["columns"])]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[1, 4], [9]]
