"""Names and owner references of what belongs to an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskjob.api import constants as c


@dataclass(frozen=True)
class Names:
    """All names of an attempt, made from one: deterministic, so that making it again finds what exists."""

    namespace: str
    attempt: str

    @property
    def runner(self) -> str:
        return f"{self.attempt}-runner"

    @property
    def tls(self) -> str:
        return f"{self.attempt}-tls"

    @property
    def code(self) -> str:
        return f"{self.attempt}-code"

    @property
    def scheduler(self) -> str:
        """The Service in front of the scheduler; dask-kubernetes gives its own the same name."""
        return f"{self.attempt}-scheduler"

    def scheduler_address(self, domain: str) -> str:
        """`tls://NAME.NAMESPACE.svc.DOMAIN:8786`."""
        return f"tls://{self.scheduler}.{self.namespace}.svc.{domain}:{c.SCHEDULER_PORT}"


def reference(version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    """The owner reference of a controller."""
    return {
        "apiVersion": version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        # Blocking would need rights on finalizers, and delays a foreground deletion for nothing.
        "blockOwnerDeletion": False,
    }
