"""Other installations of the operator that serve the same namespaces as this one.

Two of them disturb each other: each starts jobs as if the other's limits and settings did not exist. Neither can read
the other's Lease without more rights. But every object of a job has a label with the installation that created it, and
the watches deliver it anyway: this needs no request and no right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from daskjob.api import constants as c
from daskjob.api.times import from_text
from daskjob.controllers.job import job_metrics
from daskjob.kube.client import Body
from daskjob.streams.bounded_dict import BoundedDict

logger = logging.getLogger(__name__)

#: How long another installation counts as there after the creation of its newest object that was observed.
RECENT = timedelta(hours=1)
#: The least time between two warnings about one installation.
WARNING_INTERVAL = timedelta(minutes=10)
#: How many objects are remembered as counted.
REMEMBERED = 1_000

WORDS = (
    "installation %s of the operator created %s %s/%s: it serves the same namespace as this one, %s. Uninstall one of "
    "them, or give each its own namespaces (watchNamespaces)"
)


class OtherInstallations:
    """Finds them among the objects of jobs. `own`: the name of this installation; empty: it looks for none."""

    def __init__(self, own: str, clock: Callable[[], datetime]) -> None:
        self._own = own
        self._clock = clock
        self._since: datetime | None = None
        #: Creation time of the newest object of each installation; when the last warning about it was logged.
        self._newest: dict[str, datetime] = {}
        self._warned: dict[str, datetime] = {}
        #: UIDs of the objects that the metric has counted.
        self._counted: BoundedDict[str, None] = BoundedDict(REMEMBERED)

    def begin(self) -> None:
        """This process leads from now on. Objects that exist already may be of an installation that this one replaces:
        they do not count."""
        # Creation times have no fractions of a second.
        self._since = self._clock().replace(microsecond=0)

    def look(self, bodies: Iterable[Body]) -> str | None:
        """The name of another installation that created one of these objects since this process leads; None: there is
        none. Warns about it in the log, and counts its objects."""
        found = None
        for body in bodies:
            name = (body["metadata"].get("labels") or {}).get(c.INSTALLATION_LABEL)
            created = from_text(body["metadata"].get("creationTimestamp"))
            if not name or not self._own or name == self._own or self._since is None or created is None:
                continue
            if created >= self._since:
                found = str(name)
                self._note(found, created, body)
        return found

    def current(self) -> list[str]:
        """The names of those that created an object within the last hour."""
        now = self._clock()
        return sorted(name for name, newest in self._newest.items() if now - newest < RECENT)

    def _note(self, name: str, created: datetime, body: Body) -> None:
        metadata, now = body["metadata"], self._clock()
        self._newest[name] = max(created, self._newest.get(name, created))
        if metadata["uid"] not in self._counted:
            job_metrics.OTHER_INSTALLATION_OBJECTS.inc()
            self._counted[metadata["uid"]] = None
        last = self._warned.get(name)
        if last is None or now - last >= WARNING_INTERVAL:
            self._warned[name] = now
            logger.warning(WORDS, name, body["kind"], metadata.get("namespace"), metadata["name"], self._own)
