"""Where the API server keeps what the client reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from daskjob.api import constants as c


@dataclass(frozen=True)
class Endpoint:
    """A namespaced resource. `prefix`: the path of its API; `plural`: its name there."""

    prefix: str
    plural: str
    kind: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path of all objects, of those of a namespace, of one, or of a subresource of it."""
        parts = [self.prefix]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(each, safe="") for each in (name, subresource) if each]
        return "/".join(parts)


JOBS = Endpoint(f"/apis/{c.API_VERSION}", "daskjobs", "DaskJob")
CRON_JOBS = Endpoint(f"/apis/{c.API_VERSION}", "daskcronjobs", "DaskCronJob")
SECRETS = Endpoint("/api/v1", "secrets", "Secret")
PODS = Endpoint("/api/v1", "pods", "Pod")
EVENTS = Endpoint("/api/v1", "events", "Event")
BY_KIND = {each.kind: each for each in (JOBS, CRON_JOBS)}
