"""What the end of a job is in Python: values and exceptions, and whose pickles are opened."""

from __future__ import annotations

import base64
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import daskjob
from daskjob.client.job_end import End
from daskjob.futures.outcomes import exception_of, value_of
from daskjob.results.codec import sha256
from daskjob.runner.exceptions import describe


class OwnError(Exception):
    pass


class Opened:
    """Calls this test when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was opened",)


def ended(**status: Any) -> dict[str, Any]:
    metadata = {"name": "one", "namespace": "team", "uid": "u1"}
    return {"metadata": metadata, "status": {"attempt": 2, "attempts": [{}, {}], **status}}


def failed(**failure: Any) -> dict[str, Any]:
    return ended(failure={"reason": "TaskFailed", "traceback": "Traceback: here", "taskKey": "t-1", **failure})


def pickled(value: Any, **changes: Any) -> dict[str, Any]:
    import cloudpickle

    text = json.dumps(base64.b64encode(cloudpickle.dumps(value)).decode())
    record = {"type": "x", "value": text, "types": {"": "pickle"}, "sha256": sha256(text.encode()), **changes}
    return ended(result=record)


def test_a_pickle_is_opened_for_whom_submitted_it() -> None:
    assert value_of(pickled({1, 2}), trusted=True) == {1, 2}
    with pytest.raises(daskjob.UntrustedResult, match="job team/one"):
        value_of(pickled(Opened()), trusted=False)


def test_a_pickle_of_another_python_is_told_and_not_opened() -> None:
    own = ".".join(map(str, sys.version_info[:2]))
    assert value_of(pickled({1, 2}, python=f"{own}.99"), trusted=True) == {1, 2}
    with pytest.raises(daskjob.ResultGone, match=rf"a pickle of Python 3\.8\.1, which was not opened in Python {own}"):
        value_of(pickled(Opened(), python="3.8.1"), trusted=True)


def test_a_pickle_with_another_digest_is_not_opened() -> None:
    with pytest.raises(daskjob.ResultGone, match="SHA-256"):
        value_of(pickled(Opened(), sha256="0" * 64), trusted=True)


@pytest.mark.parametrize(
    ("code", "words"), [("", "ModuleNotFoundError"), ("import sys\nsys.exit(3)\n", "SystemExit: 3")]
)
def test_a_pickle_that_cannot_be_opened_here(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a module that only the image has, or that leaves the program where it is imported."""
    module = types.ModuleType("only_there")
    exec("class Made:\n    pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_there", module)
    result = pickled(module.Made())
    monkeypatch.delitem(sys.modules, "only_there")
    monkeypatch.syspath_prepend(tmp_path)
    if code:
        (tmp_path / "only_there.py").write_text(code)
    with pytest.raises(daskjob.ResultGone, match=rf"job team/one succeeded, .*cannot be opened here: {words}"):
        value_of(result, trusted=True)


def test_an_exception_of_a_module_that_leaves_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    status = failed(exceptionType="leaves.Error", message="m", exceptionArgs='["m"]')
    assert isinstance(exception_of(status, End.FAILED, trusted=True), daskjob.RemoteError)


def test_a_value_that_is_not_there() -> None:
    with pytest.raises(daskjob.ResultGone, match="has no value: int"):
        value_of(ended(result={"type": "int"}), trusted=True)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        ValueError(),
        ZeroDivisionError("by zero"),
        FileNotFoundError(2, "No such file", "/x"),
        OSError(5, "five"),
        OwnError("a", 1, None, 2.5),
    ],
    ids=repr,
)
@pytest.mark.parametrize("trusted", [True, False])
def test_an_exception_comes_back_as_itself(error: Exception, trusted: bool) -> None:
    """The runner describes it, and the client makes it anew, without a pickle."""
    status = ended(failure=describe(error, None))
    found = exception_of(status, End.FAILED, trusted=trusted)
    assert (type(found), found.args, str(found)) == (type(error), error.args, str(error))
    assert found.__notes__ == ["job team/one, attempt 2"]


def test_the_remote_traceback_is_the_cause() -> None:
    error = exception_of(
        failed(exceptionType="KeyError", exceptionArgs='["x"]', message="'x'"), End.FAILED, trusted=True
    )
    assert isinstance(error, KeyError)
    assert "Traceback: here" in str(error.__cause__)
    assert error.__notes__ == ["job team/one, attempt 2, task t-1"]


@pytest.mark.parametrize(
    "failure",
    [
        {"exceptionType": "KeyError", "message": "'x'"},
        {"exceptionType": "KeyError", "message": "'x'", "exceptionArgs": '["another"]'},
        {"exceptionType": "KeyError", "message": "'x'", "exceptionArgs": "no JSON"},
        {"exceptionType": "SystemExit", "message": "3", "exceptionArgs": "[3]"},
        {"exceptionType": "os.system", "message": "3", "exceptionArgs": '["exit 3"]'},
        {"exceptionType": "builtins.print", "message": "", "exceptionArgs": '["printed"]'},
        {"exceptionType": "not_there.Error", "message": "m", "exceptionArgs": '["m"]'},
        {"exceptionType": "UnicodeDecodeError", "message": "m", "exceptionArgs": '["m"]'},
    ],
    ids=str,
)
def test_what_cannot_be_made_anew_is_a_remote_error(failure: dict[str, Any]) -> None:
    error = exception_of(failed(**failure), End.FAILED, trusted=True)
    assert isinstance(error, daskjob.RemoteError)
    assert (error.type_name, error.traceback) == (failure["exceptionType"], "Traceback: here")
    assert (error.reason, error.name, len(error.attempts)) == ("TaskFailed", "one", 2)


def test_no_module_is_imported_for_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "smtplib", raising=False)
    failure = {"exceptionType": "smtplib.SMTPException", "exceptionArgs": '["m"]', "message": "m"}
    assert isinstance(exception_of(failed(**failure), End.FAILED, trusted=False), daskjob.RemoteError)
    assert "smtplib" not in sys.modules
    assert type(exception_of(failed(**failure), End.FAILED, trusted=True)).__name__ == "SMTPException"


def test_what_the_cluster_did_is_no_exception_of_the_code() -> None:
    error = exception_of(failed(reason="WorkersKilled", exceptionType="KilledWorker"), End.FAILED, trusted=True)
    assert type(error) is daskjob.JobFailed
    assert (error.reason, error.namespace) == ("WorkersKilled", "team")
    mismatch = exception_of(failed(reason="VersionMismatch", message="python differs"), End.FAILED, trusted=True)
    assert isinstance(mismatch, daskjob.VersionMismatch)
