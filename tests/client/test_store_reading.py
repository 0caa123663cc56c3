"""Stores that this machine cannot read, and the user's own options for them: one rule for results and reports."""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import dask.config
import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import daskjob
from daskjob.client import server_options, store_reading
from daskjob.client.saved_reports import SavedReport
from daskjob.client.server_options import SIGNED, chooses_server
from daskjob.client.store_reading import KeptFolder, StoredFileError
from daskjob.client.stored_results import StoredCopy
from daskjob.futures.outcomes import value_of
from daskjob.results.opened_store import StoreSilent

ROOT = "playing://me:a-secret-word@bucket/kept"
OWN = {"endpoint_url": "http://inside:9000", "region": "x"}


class Playing(MemoryFileSystem):
    """A store that notes with which arguments it is opened, and raises what it is told."""

    protocol = "playing"
    cachable = False
    opened: ClassVar[list[dict[str, Any]]] = []
    error: BaseException | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.opened.append(options)
        if "odd" in options:
            raise TypeError("unexpected keyword argument 'odd'")

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("playing://me:a-secret-word@", "memory://"))

    def cat_file(self, path: str, start: Any = None, end: Any = None, **options: Any) -> bytes:
        if self.error is not None:
            raise self.error
        return bytes(super().cat_file(path, start, end))


@pytest.fixture(autouse=True)
def playing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Playing]]:
    fsspec.register_implementation("playing", Playing, clobber=True)
    monkeypatch.setattr(server_options, "SIGNED", {*SIGNED, "playing", "nowhere"})
    monkeypatch.setattr(Playing, "opened", [])
    yield Playing
    Playing.error = None
    MemoryFileSystem.store.clear()


def a_job(url: str = ROOT, **options: Any) -> dict[str, Any]:
    """A job with a result, 7, and a report."""
    below = "/bucket/kept/team/one/u1/1"
    listed = {"path": "value.json", "size": 1, "sha256": hashlib.sha256(b"7").hexdigest()}
    manifest = json.dumps({"type": "int", "format": "json", "files": [listed]}).encode()
    fs = MemoryFileSystem()
    fs.pipe_file(f"{below}/value.json", b"7")
    fs.pipe_file(f"{below}/manifest.json", manifest)
    fs.pipe_file(f"{below}/report/report.json", b'{"files": []}')
    result = {"type": "int", "format": "json", "location": f"{url}/team/one/u1/1", "size": 1}
    result["sha256"] = hashlib.sha256(manifest).hexdigest()
    store = {"store": {"url": url, "options": {**OWN, **options}}}
    report = {"location": f"{url}/team/one/u1/1/report"}
    return {
        "metadata": {"name": "one", "namespace": "team", "uid": "u1"},
        "spec": {"result": store, "report": store},
        "status": {"attempt": 1, "attempts": [{"number": 1, "report": report}], "result": result},
    }


class NoCredentialsError(Exception):
    """As botocore's."""


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code}); password=a-secret-word")
        self.response = {"Error": {"Code": code}}


@pytest.mark.parametrize("read", [StoredCopy, SavedReport])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError("report.json"), "it was deleted, or the store has another address from here"),
        (ClientError("NoSuchBucket"), "it was deleted, or the store has another address from here"),
        (PermissionError("Access Denied"), "the credentials of this process do not let it read there"),
        (ClientError("AccessDenied"), "the credentials of this process do not let it read there"),
        (NoCredentialsError("Unable to locate credentials"), "this process has no credentials for it"),
        (ClientError("InvalidAccessKeyId"), "the store does not accept the credentials of this process"),
        (ClientError("SignatureDoesNotMatch"), "the store does not accept the credentials of this process"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "the store cannot be reached from here"),
        (TimeoutError("Connect timeout on endpoint URL"), "the store cannot be reached from here"),
        (ModuleNotFoundError("No module named 's3fs'"), "this Python lacks what opens it: pip install"),
    ],
)
def test_what_cannot_be_read_is_told_by_one_rule(
    playing: type[Playing], read: Any, error: BaseException, words: str
) -> None:
    playing.error = error
    what = "the result" if read is StoredCopy else "the report"
    with pytest.raises(StoredFileError) as refused:
        read(a_job())
    message = str(refused.value)
    place = "playing://***@bucket/kept/team/one/u1/1"
    assert message.startswith(f"{what} is at {place}")
    assert f"cannot be had from here: {words}" in message
    assert type(error).__name__ in message
    assert "a-secret-word" not in message
    # What a job's author can do is of no use here.
    assert "result.store" not in message


@pytest.mark.parametrize("read", [StoredCopy, SavedReport])
@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("nowhere://bucket", {}, "does not know such URLs: install the package that brings them"),
        (ROOT, {"odd": 1}, "takes other options: correct yours"),
    ],
)
def test_what_cannot_be_opened_is_told_by_one_rule(read: Any, url: str, options: Any, words: str) -> None:
    with pytest.raises(StoredFileError, match=words):
        read(a_job(url, **options))


@pytest.mark.parametrize("read", [StoredCopy, SavedReport])
def test_a_store_that_answers_nothing_is_given_up(
    playing: type[Playing], read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(playing, "cat_file", lambda *_: goes_on.wait(60))
    monkeypatch.setattr("daskjob.client.store_reading.ANSWER_SECONDS", 0.01)
    with pytest.raises(
        StoredFileError, match=r"the store cannot be reached from here: .* did not answer within 0.01 s"
    ):
        read(a_job())
    goes_on.set()


class SlowLine(MemoryFileSystem):
    """A store of which only small parts arrive in time, when it has shown itself fast."""

    protocol = "slow"
    cachable = False
    asked: ClassVar[list[int]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("slow://", "memory://"))

    def cat_file(self, path: str, start: Any = None, end: Any = None, **options: Any) -> bytes:
        self.asked.append((end or 0) - (start or 0))
        return bytes(super().cat_file(path, start, end))


def test_a_file_that_comes_slowly_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 4096
    fsspec.register_implementation("slow", SlowLine, clobber=True)
    MemoryFileSystem().pipe_file("/bucket/team/one/u1/1/part", data)
    monkeypatch.setattr(SlowLine, "asked", [])

    def patient(seconds: float, url: str, work: Any) -> Any:
        found = work()
        if SlowLine.asked[-1] > store_reading.LEAST_PART:
            raise StoreSilent("StoreUnavailable", "", "")
        return found

    monkeypatch.setattr(store_reading, "within", patient)
    # However busy this machine is, the line counts as fast.
    monkeypatch.setattr(store_reading, "PART_SECONDS", 1e9)
    where = {"what": "the result", "field": "location"}
    folder = KeptFolder(a_job(), "slow://bucket/team/one/u1/1", [{"url": "slow://bucket"}], {}, **where)
    assert folder.read_whole("part", len(data), hashlib.sha256(data).hexdigest()) == data
    assert max(SlowLine.asked) > store_reading.LEAST_PART
    with pytest.raises(StoredFileError, match="its size or digest differs"):
        folder.read_whole("part", len(data) - 1, hashlib.sha256(data[:-1]).hexdigest())


@pytest.mark.parametrize("read", [StoredCopy, SavedReport])
def test_the_users_options_count_over_those_of_the_job(playing: type[Playing], read: Any) -> None:
    own = {"endpoint_url": "https://outside", "profile": "me"}
    read(a_job(), options=own)
    assert playing.opened == [{**OWN, **own}]


@pytest.mark.parametrize(
    ("url", "options", "refused"),
    [
        ("gs://bucket", {"endpoint_url": "https://evil.example"}, "endpoint_url"),
        ("abfs://container", {"account_host": "evil"}, "account_host"),
        ("abfs://container", {"account_name": "evil.example/"}, "account_name"),
        ("abfs://container", {"account_name": "team", "anon": False, "max_concurrency": 4}, None),
        ("gs://bucket", {"session_kwargs": {"proxy": "http://evil"}}, "session_kwargs"),
        ("gs://bucket", {"project": "prices-1", "requester_pays": True, "endpoint_url": None}, None),
        ("hf://datasets/a", {"endpoint": 2130706433}, "endpoint"),
        ("anything://a", {"targets": ["evil.example"]}, "targets"),
        ("s3://bucket", {"endpoint_url": "https://minio", "client_kwargs": {"verify": False}}, None),
        ("s3://bucket", {"config_kwargs": {"signature_version": "bearer"}}, "config_kwargs"),
        ("file:///mnt", {"auto_mkdir": True, "any": "/"}, None),
    ],
)
def test_a_job_does_not_choose_who_gets_the_readers_credentials(url: str, options: Any, refused: str | None) -> None:
    assert chooses_server(url.partition("://")[0], options) == refused


@pytest.mark.parametrize("read", [StoredCopy, SavedReport])
def test_who_reads_may_choose_the_same_server(
    playing: type[Playing], monkeypatch: pytest.MonkeyPatch, read: Any
) -> None:
    monkeypatch.setattr(server_options, "SIGNED", SIGNED)
    with pytest.raises(StoredFileError, match="the option 'endpoint_url' of the job's store may choose the server"):
        read(a_job())
    assert playing.opened == []
    read(a_job(), options={"endpoint_url": OWN["endpoint_url"]})
    assert value_of(a_job(), trusted=True, storage_options={}).value(10) == 7
    assert playing.opened == [OWN, OWN]


def test_a_place_that_only_the_jobs_code_names_is_in_a_bucket() -> None:
    job = a_job()
    job["spec"] = {}
    job["status"]["result"]["location"] = "sftp://evil.example/team/one/u1/1"
    with pytest.raises(StoredFileError, match="only the job's code says which server that is"):
        StoredCopy(job)


def test_a_future_reads_with_the_options_of_its_client(playing: type[Playing]) -> None:
    client = daskjob.connect(backend="local", storage_options={"profile": "me"})
    assert value_of(a_job(), trusted=False, storage_options=client._backend.storage_options).value(10) == 7
    assert playing.opened == [{**OWN, "profile": "me"}]
    with dask.config.set({"daskjob": {"storage_options": {"profile": "configured"}}}):
        assert daskjob.connect(backend="local")._backend.storage_options == {"profile": "configured"}
    with pytest.raises(TypeError, match="arguments of fsspec's driver by name"):
        daskjob.connect(backend="local", storage_options="profile=me")  # type: ignore[arg-type]


def test_what_cannot_be_written_here_is_told(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoredFileError, match=r"the result cannot be copied into .*NotADirectoryError"):
        StoredCopy(a_job()).copy(tmp_path / "file" / "below")
