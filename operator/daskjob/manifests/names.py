"""Names and owner references of an attempt's objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskjob.api import constants as c
from daskjob.api.attempt_names import files_name, runner_name, scheduler_name


@dataclass(frozen=True)
class Names:
    """All names of an attempt, which follow from the attempt's name: a repeated creation meets the object that
    exists."""

    namespace: str
    attempt: str

    @property
    def runner(self) -> str:
        return runner_name(self.attempt)

    @property
    def files(self) -> str:
        """The Secret with what the pods mount."""
        return files_name(self.attempt)

    @property
    def scheduler(self) -> str:
        """The scheduler's Service; dask-kubernetes uses the same name."""
        return scheduler_name(self.attempt)

    def scheduler_address(self, domain: str) -> str:
        """`tls://NAME.NAMESPACE.svc.DOMAIN:8786`."""
        return f"tls://{self.scheduler}.{self.namespace}.svc.{domain}:{c.SCHEDULER_PORT}"


def reference(version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    """An owner reference that names the object's controller."""
    return {
        "apiVersion": version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        # True would need rights on finalizers, and would only delay a foreground deletion.
        "blockOwnerDeletion": False,
    }
