"""What every kind of source answers, for the cluster and for a local run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from daskjob.api.constants import Reason
from daskjob.errors import DaskJobError

#: Name of the volume that holds the code, in each of the job's pods.
VOLUME = "code"

FindConfigMap = Callable[[str], Mapping[str, Any] | None]
"""Finds a ConfigMap by its name among the documents of a local run; None: there is none."""


@dataclass(frozen=True)
class CodeFile:
    """A file that the manifest carries. `key`: its key in the attempt's Secret; `path`: below the code's folder."""

    key: str
    path: str
    content: str


@dataclass(frozen=True)
class Reference:
    """An object in the job's namespace that the source needs. `field`: where the spec names it, for messages;
    `reason`: the job's reason while it is missing."""

    kind: str
    name: str
    field: str
    reason: Reason

    def missing_in(self, namespace: str) -> str:
        """What to tell the user of a cluster where the object does not exist."""
        return (
            f"{self.field}: there is no {self.kind} {self.name!r} in namespace {namespace!r}; create it, or correct "
            "the name"
        )


@dataclass(frozen=True)
class Fetch:
    """What an init container brings into the code's volume, by `daskjob.fetch`.

    `kind`, `what`: which code, in the words of that package; `sub_path`: the folder of it that is first on the path;
    `secret`: the Secret with credentials, empty: none; `secret_field`: where the spec names it; `moves`: whether the
    manifest names something that can change, so that a commit must be found before anything starts; `commit`: the one
    that the manifest itself names.
    """

    kind: str
    what: Mapping[str, Any]
    sub_path: str = ""
    secret: str = ""
    secret_field: str = ""
    moves: bool = False
    commit: str | None = None


class SourceError(DaskJobError):
    """The code of a local run cannot be had. `reason`: that of the job's failure."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CodeSource(Protocol):
    """One source of code. All answers are values: whoever asks does the I/O."""

    def files(self) -> tuple[CodeFile, ...]:
        """The files that the manifest carries: the operator puts them into the attempt's Secret."""

    def volume(self, secret: str) -> dict[str, Any]:
        """The pods' volume with the code. `secret`: the name of the attempt's own Secret."""

    def fetch(self) -> Fetch | None:
        """What an init container brings into the volume before scheduler, workers and runner start; None: nothing."""

    def references(self) -> tuple[Reference, ...]:
        """Objects that must exist before an attempt can start."""

    def fetch_locally(self, find_config_map: FindConfigMap) -> dict[str, bytes]:
        """Content by path, for a local run. Raises SourceError."""
