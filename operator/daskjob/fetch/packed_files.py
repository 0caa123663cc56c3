"""Unpacks tar and zip files of anybody: what leads out of the folder, is no plain file or takes too much is refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from typing import IO, Any, List

from daskjob.fetch.fetch_limits import MOST_BYTES, MOST_FILES
from daskjob.fetch.fetch_problem import REFUSED, FetchProblem

_CHUNK = 1 << 20
#: How compressed files begin, with what reads them.
_COMPRESSED: "List[tuple[bytes, Any]]" = [(b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)]


class Unpacking:
    """Unpacks one file. `field`: of the spec, for messages."""

    def __init__(self, field: str, target: str, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
        self._field = field
        self._target = target
        self._most = most_bytes
        self._bytes = most_bytes
        self._files = most_files

    def unpack(self, path: str, work: str) -> None:
        """Brings the files of a tar or zip file into the target, a folder that is empty. `work`: for a file of its own.
        Raises FetchProblem."""
        try:
            if zipfile.is_zipfile(path):
                self._unzip(path)
            else:
                self._untar(self._plain(path, os.path.join(work, "plain.tar")))
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            NotImplementedError,
        ) as error:
            raise self._refusal(f"is no tar or zip file that can be read: {error}") from None
        except (OverflowError, UnicodeError, ValueError) as error:
            raise self._refusal(f"is damaged: {error}") from None

    def _refusal(self, words: str) -> FetchProblem:
        return FetchProblem(REFUSED, f"{self._field}: the archive {words}")

    def _plain(self, path: str, plain: str) -> str:
        """The path of the tar file without compression. What it takes is known before anything looks into it."""
        with open(path, "rb") as file:
            begin = file.read(8)
        opens = next((opens for magic, opens in _COMPRESSED if begin.startswith(magic)), None)
        if opens is None:
            return path
        with opens(path, "rb") as source, open(plain, "wb") as target:
            # Of many small files, a tar file is larger than they are.
            self._copy(source, target, self._most + self._most // 4)
        return plain

    def _copy(self, source: IO[bytes], target: IO[bytes], most: int) -> int:
        copied = 0
        while chunk := source.read(_CHUNK):
            copied += len(chunk)
            if copied > most:
                raise self._refusal(f"holds more than {self._most} bytes: keep data in an object store")
            target.write(chunk)
        return copied

    def _untar(self, path: str) -> None:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                place = self._place(member.name)
                if member.isdir():
                    os.makedirs(place, exist_ok=True)
                elif member.issym():
                    self._link(place, member.linkname, member.name)
                elif member.islnk():
                    self._write_copy(place, self._place(member.linkname), member.name)
                elif member.isreg():
                    source = archive.extractfile(member)
                    assert source is not None
                    self._write(place, source, member.size, bool(member.mode & 0o100))
                else:
                    raise self._refusal(f"has {member.name[:200]!r}, which is neither a file, a folder nor a link")

    def _unzip(self, path: str) -> None:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                place, mode = self._place(entry.filename), entry.external_attr >> 16
                if entry.flag_bits & 1:
                    raise self._refusal("is encrypted: pack it without a password")
                if entry.is_dir():
                    os.makedirs(place, exist_ok=True)
                elif stat.S_ISLNK(mode):
                    with archive.open(entry) as source:
                        self._link(place, source.read(4096).decode(), entry.filename)
                elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise self._refusal(f"has {entry.filename[:200]!r}, which is neither a file, a folder nor a link")
                else:
                    with archive.open(entry) as source:
                        self._write(place, source, entry.file_size, bool(mode & 0o100))

    def _place(self, name: str) -> str:
        """Where a member goes, and its folder, which exists then. Counts it."""
        self._files -= 1
        if self._files < 0:
            raise self._refusal("has too many files: keep data in an object store")
        parts = [each for each in name.split("/") if each not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or "\\" in name or len(name) > 1024:
            raise self._refusal(
                f"has the name {name[:200]!r}, which leads out of its folder: pack it with relative names"
            )
        folder = self._target
        for part in parts[:-1]:
            folder = os.path.join(folder, part)
            if os.path.islink(folder):
                raise self._refusal(f"has {name[:200]!r} below a link: pack it without links to folders")
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, parts[-1]) if parts else folder

    def _write(self, place: str, source: IO[bytes], size: int, executable: bool) -> None:
        if size > self._bytes:
            raise self._refusal(f"holds more than {self._most} bytes: keep data in an object store")
        self._clear(place)
        with open(place, "wb") as target:
            self._bytes -= self._copy(source, target, self._bytes)
        os.chmod(place, 0o755 if executable else 0o644)

    def _write_copy(self, place: str, other: str, name: str) -> None:
        if os.path.islink(other) or not os.path.isfile(other):
            raise self._refusal(f"has {name[:200]!r}, a hard link to what is not in it before")
        with open(other, "rb") as source:
            self._write(place, source, os.path.getsize(other), os.access(other, os.X_OK))

    def _link(self, place: str, to: str, name: str) -> None:
        inside = os.path.normpath(os.path.join(os.path.dirname(os.path.relpath(place, self._target)), to))
        if os.path.isabs(to) or inside == ".." or inside.startswith("../") or "\0" in to:
            raise self._refusal(f"has {name[:200]!r}, a link that leads out of its folder")
        self._clear(place)
        os.symlink(to, place)

    def _clear(self, place: str) -> None:
        """A name that comes twice counts the last time, and nothing is written through a link."""
        if os.path.isdir(place) and not os.path.islink(place):
            raise self._refusal(f"has {os.path.relpath(place, self._target)[:200]!r} as a folder and as a file")
        if os.path.lexists(place):
            os.unlink(place)
