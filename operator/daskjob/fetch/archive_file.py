"""Fetches an archive over http or https, or from what fsspec of the image knows, and compares its digest."""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from typing import IO, Callable
from urllib.parse import urlsplit

from daskjob.fetch.addresses import WEB_SCHEMES, addresses_of, check_url
from daskjob.fetch.fetch_limits import MOST_BYTES
from daskjob.fetch.fetch_problem import FORBIDDEN, NOT_FOUND, REFUSED, TIMED_OUT, UNREACHABLE, FetchProblem
from daskjob.fetch.packed_files import Unpacking
from daskjob.fetch.source_secret import Credentials
from daskjob.fetch.sub_folders import folder_in, same_tree
from daskjob.fetch.web import get
from daskjob.results.opened_store import by_place, image_word

FIELD = "spec.graph.source.archive"
#: What fsspec would read from this machine, or by a way through another URL.
NOT_REMOTE = frozenset(
    {
        *(
            "file",
            "local",
            "memory",
            "data",
            "dir",
            "zip",
            "tar",
            "libarchive",
            "reference",
            "dask",
            "jupyter",
            "blobs",
            "git",
        ),
        *("blockcache", "filecache", "simplecache", "cached", "generic"),
    }
)
#: Of which fsspec connects to the host in the URL; of others that is a bucket.
WITH_HOST = frozenset({"ftp", "sftp", "ssh", "smb", "webhdfs", "hdfs", "webdav", "webdavs", "dav", "davs"})
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Archive:
    """What is wanted. `sha256`: of the file; `sub_path`: the folder in it that is first on the path."""

    url: str
    sha256: str
    sub_path: str = ""
    own: bool = False

    def fetch(self, target: str, work: str, credentials: Credentials, until: float) -> str:
        """Brings the files into a folder, which is empty. Returns the folder for the path. Raises FetchProblem."""
        same_tree(target, self.sub_path, f"{FIELD}.subPath")
        path = os.path.join(work, "archive")
        digest = hashlib.sha256()
        with open(path, "wb") as file:
            self._download(file, digest.update, credentials, until)
        if digest.hexdigest() != self.sha256:
            raise FetchProblem(
                REFUSED,
                f"{FIELD}.sha256: what {FIELD}.url leads to has {digest.hexdigest()}: if it was changed on purpose, "
                "write this, else look at who changed it; nothing of it was unpacked",
            )
        Unpacking(f"{FIELD}.url", target).unpack(path, work)
        return folder_in(target, self.sub_path, f"{FIELD}.subPath", "the archive")

    def _download(
        self, file: IO[bytes], update: Callable[[bytes], None], credentials: Credentials, until: float
    ) -> None:
        field, size = f"{FIELD}.url", 0
        scheme = urlsplit(self.url).scheme
        read, close = self._open_web(credentials, until) if scheme in WEB_SCHEMES else self._open_fsspec(credentials)
        try:
            while chunk := read(_CHUNK):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise FetchProblem(REFUSED, f"{field}: the file is larger than {MOST_BYTES >> 30} GiB")
                if time.monotonic() > until:
                    raise FetchProblem(TIMED_OUT, f"{field}: the file did not come in time")
                update(chunk)
                file.write(chunk)
        finally:
            close()

    def _open_web(self, credentials: Credentials, until: float) -> "tuple[Callable[[int], bytes], Callable[[], None]]":
        answer = get(self.url, f"{FIELD}.url", credentials, until)
        return answer.read, answer.close

    def _open_fsspec(self, credentials: Credentials) -> "tuple[Callable[[int], bytes], Callable[[], None]]":
        field, scheme = f"{FIELD}.url", urlsplit(self.url).scheme
        if "::" in self.url or scheme in NOT_REMOTE or not scheme:
            raise FetchProblem(REFUSED, f"{field}: only http, https and stores elsewhere (s3, gs, abfs) are taken")
        parts = check_url(self.url, field, (scheme,))
        if scheme in WITH_HOST:
            addresses_of(parts.hostname or "", parts.port or 0, field)
        # For this process alone: what runs the job's code does not have them.
        os.environ.update(credentials.variables)
        try:
            import fsspec

            file = fsspec.open(self.url, "rb").open()
        except Exception as error:
            raise _meaning(error, field, credentials) from None

        def read(size: int) -> bytes:
            try:
                return bytes(file.read(size))
            except FetchProblem:
                raise
            except Exception as error:
                raise _meaning(error, field, credentials) from None

        return read, file.close


def _meaning(error: Exception, field: str, credentials: Credentials) -> FetchProblem:
    """What an error of fsspec or of a store's library means."""
    if isinstance(error, FetchProblem):
        return error
    text = " ".join(f"{type(error).__name__}: {error}".split())[:400]
    if isinstance(error, (ImportError, ValueError)):
        what = by_place("install the package in the image", "install the package")
        return FetchProblem(REFUSED, f"{field}: {image_word()} cannot read it: {text}: {what}")
    if isinstance(error, FileNotFoundError):
        return FetchProblem(NOT_FOUND, f"{field}: there is nothing: {text}")
    if isinstance(error, PermissionError) or re.search(r"[Cc]redential|Forbidden|AccessDenied|\b40[13]\b", text):
        pods = f"look at Secret {credentials.secret}" if credentials.secret else "name a Secret in secretRef"
        which = by_place(pods, "here the credentials of this process's environment count: correct those")
        return FetchProblem(FORBIDDEN, f"{field}: the store refuses: {text}: {which}")
    return FetchProblem(UNREACHABLE, f"{field}: {text}")
