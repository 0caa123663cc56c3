"""Kubernetes Events on root objects, as `kubectl describe` shows them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from daskjob.api import constants as c
from daskjob.api.resource import Resource
from daskjob.api.times import to_seconds_text, to_text
from daskjob.kube.client import Body
from daskjob.lifecycle.event import Event
from daskjob.wire import clean


def event_body(resource: Resource, namespace: str, name: str, uid: str, key: str, event: Event, now: datetime) -> Body:
    """The Event on an object. Its name follows from `key`, so posting it twice leaves one."""
    digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"{name}.{digest}"},
        "involvedObject": {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "namespace": namespace,
            "name": name,
            "uid": uid,
        },
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        # Words of others among them: the kubelet, webhooks, logs.
        "message": clean(event.message),
        "action": event.reason,
        "eventTime": to_text(now),
        "firstTimestamp": to_seconds_text(now),
        "lastTimestamp": to_seconds_text(now),
        "count": 1,
        "reportingComponent": c.MANAGER,
        "reportingInstance": c.MANAGER,
        "source": {"component": c.MANAGER},
    }
