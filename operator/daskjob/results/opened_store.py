"""Opens a place where files are kept: a URL of fsspec, options, and the credentials in this process's environment.

The runner sends the source of this module to workers (`runner.shipped`): it imports the standard library and fsspec
alone, works with Python 3.9, and imports nothing of this project. No message of a problem has a secret.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import threading
import time
from typing import Any, Callable, Iterator, Mapping, Optional

#: Why a store cannot be used; reasons of a failed job.
REASONS = ("StoreDriverMissing", "StoreNotFound", "StoreForbidden", "StoreUnavailable")
DRIVER_MISSING, NOT_FOUND, FORBIDDEN, UNAVAILABLE = REASONS
#: What more is known of a problem, for whoever has other credentials and another driver than the job.
KINDS = ("scheme", "options", "no credentials", "wrong credentials")
SCHEME, OPTIONS, NO_CREDENTIALS, WRONG_CREDENTIALS = KINDS
#: The variable with the folder of the store's Secret (`runner.surroundings`); absent: there is none.
SECRET_VARIABLE = "DASKJOB_STORE_SECRET"
#: A variable that the processes of a run on a user's own machine have (`daskjob run`), and no pod.
LOCAL_VARIABLE = "DASKJOB_LOCAL_RUN"
#: Seconds before each further attempt of a write that failed because the store was not there.
PAUSES = (0.5, 2.0, 5.0, 10.0, 20.0)
#: Packages that bring fsspec's drivers, by the URL's scheme.
DRIVERS = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "smb": "smbprotocol",
    "oci": "ocifs",
    "hf": "huggingface_hub",
}
#: Stores that no other process, or nobody later, could read; and those that cannot be written to.
USELESS = (
    "memory",
    "data",
    "http",
    "https",
    "reference",
    "zip",
    "tar",
    "cached",
    "blockcache",
    "filecache",
    "simplecache",
)
#: What drivers call an error of credentials: class names, and codes of S3 and HTTP.
_WITHOUT = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"),
    *("ProfileNotFound", "DefaultCredentialsError"),
}
_WRONG = {
    *("ClientAuthenticationError", "RefreshError", "UnauthorizedSSOTokenError", "RequestTimeTooSkewed", "401"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"),
}
_FORBIDDEN = _WITHOUT | _WRONG | {"AccessDenied", "AccountProblem", "AllAccessDisabled", "403"}
_NOT_FOUND = {"NoSuchBucket", "ResourceNotFoundError", "NoSuchContainer", "404"}
#: A text's parts that may be secret: parameters of signed URLs, headers, user and password in a URL.
_SECRET_TEXT = re.compile(
    r"(?i)((?:\b|[-_])(?:sig|signature|token|secret|password|passwd|passphrase|credential|accountkey|sas|cookie"
    r"|access_?key(?:_?id)?|key)"
    r"['\"]?\s*[=:]\s*|authorization['\"]?\s*[=:]\s*['\"]?\s*(?:[a-z]+\s+)?)['\"]?[^&\s;,'\"<>]+"
)
#: To the last @ before the path: a password may have one.
_USER_IN_URL = re.compile(r"://[^/?#\s]+@")
_SECRET_NAME = re.compile(r"(?i)key|secret|token|password|credential|connection|sas|^fsspec_")


class StoreProblem(Exception):
    """A store cannot be used. `reason`: one of `REASONS`; the message says what a job's author can do. `cause`: what
    the driver has raised, without secrets; `kind`: one of `KINDS`, or empty."""

    def __init__(self, reason: str, message: str, cause: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.cause = cause
        self.kind = kind


class StoreSilent(StoreProblem):
    """It has not answered in time."""


class Store:
    """A folder in a store. Every method raises StoreProblem."""

    def __init__(self, fs: Any, root: str, folder: str, url: str) -> None:
        self._fs = fs
        self._root = root
        self._folder = folder
        #: Its URL, without a slash at the end.
        self.url = url

    def below(self, *names: str) -> Store:
        """The folder with this path below this one."""
        return Store(self._fs, self._root, "/".join((self._folder, *names)), "/".join((self.url, *names)))

    def write(self, name: str, data: bytes, pauses: tuple[float, ...] = PAUSES) -> None:
        """Writes a file, again after each pause if the store is not there. `name`: a path below the folder."""
        path = f"{self._folder}/{name}"
        for pause in (*pauses, None):
            try:
                with self._words("write", name):
                    self._put(path, data)
                return
            except StoreProblem as problem:
                if problem.reason != UNAVAILABLE or pause is None:
                    raise
            time.sleep(pause)

    def _put(self, path: str, data: bytes) -> None:
        try:
            self._fs.pipe_file(path, data)
        except FileNotFoundError:
            # Object stores have no folders. Of others, the one that the URL names must be there: nobody mounts a
            # volume by mistake.
            if not self._fs.exists(self._root):
                raise
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data)

    def read(self, name: str, begin: Optional[int] = None, end: Optional[int] = None) -> bytes:
        """The content of a file, or its bytes from `begin` to `end`, of which there may be fewer."""
        with self._words("read", name):
            return bytes(self._fs.cat_file(f"{self._folder}/{name}", begin, end))

    def names(self) -> list[str]:
        """The names of what is in the folder."""
        with self._words("list", ""):
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._folder, detail=False)
            except FileNotFoundError:
                # An object store has no empty folders.
                found = []
            return [str(each).rstrip("/").rpartition("/")[2] for each in found]

    def remove(self, name: str) -> None:
        """Deletes a file."""
        with self._words("delete", name):
            self._fs.rm(f"{self._folder}/{name}")

    def remove_all(self) -> int:
        """Deletes the folder with all that is in it, if it is there. Returns how many files that were."""
        with self._words("delete", ""):
            self._fs.invalidate_cache()
            if not self._fs.exists(self._folder):
                # A volume that is not mounted has no folders either.
                self._fs.ls(self._root, detail=False)
                return 0
            files = len(self._fs.find(self._folder))
            self._fs.rm(self._folder, recursive=True)
            self._fs.invalidate_cache()
            left = self._fs.find(self._folder)
        if left:
            message = f"{clean_url(self.url)} still has {len(left)} files after they were deleted"
            raise StoreProblem(UNAVAILABLE, message)
        return files

    def _words(self, doing: str, name: str) -> _Words:
        return _Words(self.url, doing, name)


class _Words:
    """Turns what a driver raises into a StoreProblem."""

    def __init__(self, url: str, doing: str, name: str) -> None:
        self._url, self._doing, self._name = url, doing, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, StoreProblem):
            raise problem_of(error, self._url, f"{self._doing} {self._name}".strip()) from None


def open_store(url: str, options: Mapping[str, Any]) -> Store:
    """The store at a URL. `options`: keyword arguments of fsspec's driver. Raises StoreProblem; opens no connection."""
    scheme = url.partition("://")[0]
    if "::" in url or scheme in USELESS:
        message = f"{clean_url(url)} keeps nothing: give s3://, gs://, abfs:// or file:// in result.store.url"
        raise StoreProblem(NOT_FOUND, message)
    with _Words(url, "open", ""):
        core: Any = importlib.import_module("fsspec.core")
        fs, root = core.url_to_fs(url, **options)
        return Store(fs, root.rstrip("/"), root.rstrip("/"), url.rstrip("/"))


def try_store(store: Store, own: str, other: Optional[str] = None) -> str:
    """Writes, reads and lists a file with this name, and returns what it has. `other`: another process's file, of which
    the content must be `name:content`; then both are deleted. Raises StoreProblem."""
    if other is not None:
        name, _, expected = other.partition(":")
        try:
            same = store.read(name).decode(errors="replace") == expected
        except StoreProblem as problem:
            if problem.reason != NOT_FOUND:
                raise
            same = False
        if not same:
            message = (
                f"{clean_url(store.url)} is not the same place in all of the job's pods: what the runner wrote is not "
                "there; mount one volume that all nodes reach into runner and workers"
            )
            raise StoreProblem(NOT_FOUND, message)
    content = os.urandom(16).hex()
    store.write(own, content.encode(), ())
    if store.read(own) != content.encode():
        raise StoreProblem(UNAVAILABLE, f"{clean_url(store.url)} gave back another content than was written to it")
    if own not in store.names():
        raise StoreProblem(UNAVAILABLE, f"{clean_url(store.url)} does not list what was written to it")
    if other is not None:
        store.remove(own)
        store.remove(other.partition(":")[0])
        if own in store.names():
            message = f"{clean_url(store.url)} keeps what the job deletes: give its credentials that right, too"
            raise StoreProblem(FORBIDDEN, message)
    return content


def within(seconds: float, url: str, work: Callable[[], Any]) -> Any:
    """What `work` gives, or raises. Raises StoreProblem if it takes longer: its thread then goes on alone."""
    answer: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="daskjob-store", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not answer:
        silent = f"{clean_url(url)} did not answer within {seconds:g} s"
        who = by_place("the job's pods", "this machine")
        message = (
            f"{silent}: check the address in result.store (url, options.endpoint_url), and that the network lets {who} "
            "connect to it"
        )
        raise StoreSilent(UNAVAILABLE, message, silent)
    return answer[0]


async def try_on_worker(
    url: str, options: Mapping[str, Any], folder: list[str], own: str, other: str, seconds: float
) -> list[str]:
    """`try_store` on a worker, without holding up its event loop: [] if it went well, else reason and message."""
    # Whoever only reads reports imports this module, too: asyncio takes long.
    import asyncio

    def work() -> Any:
        try:
            within(seconds, url, lambda: try_store(open_store(url, options).below(*folder), own, other))
        except StoreProblem as problem:
            return [problem.reason, problem.message]
        return []

    found: list[str] = await asyncio.get_running_loop().run_in_executor(None, work)
    return found


def problem_of(error: BaseException, url: str, doing: str) -> StoreProblem:
    """What an error of fsspec or a driver means. `doing`: what was tried."""
    where, scheme = clean_url(url), url.partition("://")[0]
    chain = list(_causes(error))
    kinds = {type(each).__name__ for each in chain} | {code for each in chain for code in _codes(each)}
    text = f"{type(error).__name__}: {without_secrets(str(error))}"
    text = " ".join(text.split())[:400]
    if any(isinstance(each, ImportError) for each in chain):
        package = DRIVERS.get(scheme) or f"the package for {scheme}://"
        lacks = f"{image_word()} has no {package}, which {where} needs"
        message = f"{lacks}: {by_place('add it to the image', f'pip install {package}')} ({text})"
        return StoreProblem(DRIVER_MISSING, message, text)
    if isinstance(error, ValueError) and "Protocol not known" in str(error):
        known = f"fsspec knows no {scheme}://"
        message = f"{known}: correct result.store.url, such as s3://bucket/folder"
        return StoreProblem(NOT_FOUND, message, known, SCHEME)
    read_only = any(getattr(each, "errno", None) == errno.EROFS for each in chain)
    if read_only or kinds & _FORBIDDEN or any(isinstance(each, PermissionError) for each in chain):
        kind = NO_CREDENTIALS if kinds & _WITHOUT else WRONG_CREDENTIALS if kinds & _WRONG else ""
        if scheme in ("file", "local"):
            who = by_place("the pod's user may not", "your user may not")
            what = by_place(
                "give the volume to the group of the pods (fsGroup), or mount it writable",
                "give a folder that your user may write to",
            )
        else:
            who = "the credentials do not let the job"
            keys = by_place("the keys in the Secret of result.store.secretRef", "those of this process's environment")
            what = f"give {keys} the right to write, read, list and delete there"
        return StoreProblem(FORBIDDEN, f"{who} {doing} at {where}: {what} ({text})", text, kind)
    if kinds & _NOT_FOUND or any(isinstance(each, FileNotFoundError) for each in chain):
        what = (
            by_place("mount a volume there by the templates of runner and workers", "create that folder")
            if scheme in ("file", "local")
            else "create the bucket, or correct result.store.url"
        )
        return StoreProblem(NOT_FOUND, f"{where} does not exist ({doing}): {what} ({text})", text)
    if any(isinstance(each, (NotADirectoryError, IsADirectoryError, FileExistsError)) for each in chain):
        message = (
            f"{where} is a file, or below one, where a folder has to be ({doing}): correct result.store.url ({text})"
        )
        return StoreProblem(NOT_FOUND, message, text)
    if isinstance(error, TypeError):
        message = f"result.store.options do not fit the driver of {where}: correct them ({text})"
        return StoreProblem(NOT_FOUND, message, text, OPTIONS)
    if any(getattr(each, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for each in chain):
        message = f"{where} has no room left ({doing}): free some there, or give a larger result.store ({text})"
        return StoreProblem(UNAVAILABLE, message, text)
    message = f"{where} cannot be used ({doing}): check result.store and the store itself ({text})"
    return StoreProblem(UNAVAILABLE, message, text)


def _causes(error: Optional[BaseException]) -> Iterator[BaseException]:
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _codes(error: BaseException) -> Iterator[str]:
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping):
        details = answer.get("Error")
        yield str(details.get("Code", "")) if isinstance(details, Mapping) else ""
    for name in ("status", "status_code", "code", "error_code"):
        value = getattr(error, name, None)
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            yield str(value)


def by_place(pods: str, machine: str) -> str:
    """The words that are true where this runs: in a pod, or on the machine of who reads them."""
    return machine if os.environ.get(LOCAL_VARIABLE) else pods


def image_word() -> str:
    """What has the packages that a job finds."""
    return by_place("the image", "this Python")


def clean_url(url: str) -> str:
    """The URL without user, password and parameters."""
    return _USER_IN_URL.sub("://***@", url.partition("?")[0])


def without_secrets(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text without what may be secret: values of variables whose names look like it or that came from the store's
    Secret, and parts that look like signatures, keys and passwords."""
    names = set(_files(environment.get(SECRET_VARIABLE, "")))
    values = {value for name, value in environment.items() if name in names or _SECRET_NAME.search(name)}
    for value in sorted(values | {value.strip() for value in values}, key=len, reverse=True):
        if len(value) >= 4:
            text = text.replace(value, "***")
    return _USER_IN_URL.sub("://***@", _SECRET_TEXT.sub(r"\1***", text))


def _files(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")] if folder else []
    except OSError:
        return []
