"""What proves that an object of an attempt is the operator's.

For each attempt the operator draws a name that cannot be known beforehand, and a secret that it keeps in memory. The
status has a digest before anything is created. The secret is the token of the runner's pod and of the report; what
follows from it is the token of the cluster, which is created first; and what follows from that is the digest. So who
reads the token of an object, which exists by then, does not know that of one that is yet to be created.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

#: Kubernetes' own alphabet for names that it draws: no vowels, so no words, and nothing that looks like another.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
#: Characters of the part of an attempt's name that is drawn.
NONCE_LENGTH = 8


def follows_from(token: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class Tokens:
    """The tokens of an attempt's objects. `runner`: the secret, which the report has as well."""

    runner: str

    @property
    def cluster(self) -> str:
        return follows_from(self.runner)

    def group(self, key: str) -> str:
        """The token of a further worker group. The cluster, which is created before, has what follows from it."""
        return follows_from(f"{self.runner}/{key}")

    @property
    def source(self) -> str:
        """That of the pod that finds the commit of the code, which comes before all others: nothing follows from it."""
        return follows_from(f"source {self.runner}")

    @property
    def digest(self) -> str:
        """What the status has."""
        return follows_from(self.cluster)


def proves_source(token: str, digest: str) -> bool:
    """Whether the pod with this token is the one that finds the commit for the attempt with that source digest."""
    return follows_from(token) == digest


def proves_cluster(token: str, digest: str) -> bool:
    """Whether a cluster with this token is of the attempt with that digest."""
    return follows_from(token) == digest


def proves_runner(token: str, digest: str) -> bool:
    """Whether a runner or a report with this token is of the attempt with that digest."""
    return proves_cluster(follows_from(token), digest)


@dataclass(frozen=True)
class Draw:
    """What a decision needs for the next name of an attempt. By default, an attempt has a name that follows from the
    job's and no digest, for runs without an API server that anybody else could write to."""

    nonce: str = ""
    digest: str | None = None
    source_digest: str | None = None
