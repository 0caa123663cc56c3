"""Which options of a job's store count where somebody else reads its result.

Who made the job wrote them, and most drivers send the token or the password of who reads with each request. So options
may not choose the server that gets these, unless who reads gives them, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Stores without credentials, or whose drivers send signatures, which are of no use elsewhere, and no keys.
SIGNED = frozenset({"s3", "s3a", "file", "local"})
#: Stores of whose URLs the first part is a bucket or a container, and no server.
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "hf"})
#: Of signed requests: what would have a token sent in place of a signature.
_UNSIGNED = "signature_version"
_WORD = re.compile(r"[A-Za-z0-9_-]*")
_SERVER = re.compile(r"(?i)endpoint|host|ur[il]|prox|server|address|domain|instance")


def chooses_server(scheme: str, options: Mapping[str, Any]) -> str | None:
    """The first option that may choose a server for credentials; None: none does. `scheme`: of the store's URL."""
    if scheme in SIGNED:
        return next((name for name, value in options.items() if _UNSIGNED in f"{name} {value}"), None)
    return next((name for name, value in options.items() if not _is_harmless(name, value)), None)


def _is_harmless(name: str, value: Any) -> bool:
    """Whether it is a single word, which is no address, a number, or a switch, and has no name as of an address."""
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None and _SERVER.search(name) is None
    return value is None or isinstance(value, bool) or (isinstance(value, int | float) and not _SERVER.search(name))
