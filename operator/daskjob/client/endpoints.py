"""What the client reads and writes."""

from __future__ import annotations

from daskjob.api import constants as c
from daskjob.api.resource import Resource

JOBS = Resource("DaskJob", c.API_VERSION, "daskjobs")
CRON_JOBS = Resource("DaskCronJob", c.API_VERSION, "daskcronjobs")
SECRETS = Resource("Secret", "v1", "secrets")
PODS = Resource("Pod", "v1", "pods")
EVENTS = Resource("Event", "v1", "events")
BY_KIND = {each.kind: each for each in (JOBS, CRON_JOBS)}
