"""The state of a namespace as watches tell it, each change with the time at which it came."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from kubernetes import config

Body = dict[str, Any]
#: (plural, name)
Key = tuple[str, str]

#: What is watched: where the API has it, by plural.
ROOTS = {
    "pods": "/api/v1",
    "services": "/api/v1",
    "secrets": "/api/v1",
    "configmaps": "/api/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "daskclusters": "/apis/kubernetes.dask.org/v1",
    "daskworkergroups": "/apis/kubernetes.dask.org/v1",
}
OURS = ("daskjobs", "/apis/daskjob.io/v1alpha1")
PEERS = ("daskjobs", "/apis/kubernetes.dask.org/v1")


class Api:
    """Requests to the API server as the kubeconfig's user, JSON in and out."""

    def __init__(self, kubeconfig: str) -> None:
        client = config.new_client_from_config(config_file=kubeconfig)
        self._host = client.configuration.host
        self._pool = client.rest_client.pool_manager
        self._headers = {"User-Agent": "daskjob-benchmark", "Accept": "application/json"}
        client.update_params_for_auth(self._headers, [], ["BearerToken"], "", "GET", None)

    def request(self, method: str, path: str, body: Body | None = None, missing_ok: bool = False) -> Body:
        """The answer. Raises RuntimeError with the API server's words; {} for a 404 if `missing_ok`."""
        headers = {**self._headers, "Content-Type": "application/json"}
        answer = self._pool.request(
            method, self._host + path, headers=headers, body=None if body is None else json.dumps(body), timeout=30
        )
        if answer.status == 404 and missing_ok:
            return {}
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')[:500]}")
        return dict(json.loads(answer.data))

    def text(self, path: str) -> str:
        """What is there, such as a log; "" if nothing is."""
        answer = self._pool.request("GET", self._host + path, headers=self._headers, timeout=30)
        return answer.data.decode(errors="replace") if answer.status == 200 else ""

    def create(self, body: Body, plural: str) -> Body:
        version = body["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return self.request("POST", f"{root}/namespaces/{body['metadata']['namespace']}/{plural}", body)

    def delete(self, root: str, namespace: str, plural: str, name: str) -> None:
        """In the background, and no error if it is gone."""
        options = {"propagationPolicy": "Background"}
        self.request("DELETE", f"{root}/namespaces/{namespace}/{plural}/{name}", options, missing_ok=True)

    def stream(self, path: str) -> Any:
        """The lines of a watch that lasts for hours."""
        answer = self._pool.request(
            "GET",
            f"{self._host}{path}?watch=true&timeoutSeconds=36000",
            headers=self._headers,
            preload_content=False,
            timeout=None,
        )
        if answer.status >= 400:
            raise RuntimeError(f"watch {path}: {answer.status} {answer.data.decode(errors='replace')[:500]}")
        return answer


class Namespace:
    """One namespace's objects, kept up to date by a thread a kind.

    `resources`: (plural, root) of the jobs, beside all that jobs are made of.
    """

    def __init__(self, api: Api, name: str, resources: Collection[tuple[str, str]]) -> None:
        self.name = name
        self.objects: dict[Key, Body] = {}
        self._changed = threading.Condition()
        self._last = time.monotonic()
        self._error: BaseException | None = None
        for plural, root in (*ROOTS.items(), *resources):
            path = f"{root}/namespaces/{name}/{plural}"
            threading.Thread(target=self._follow, args=(api, path, plural), daemon=True).start()

    def wait(self, until: Callable[[dict[Key, Body]], object], seconds: float) -> float | None:
        """When (time.monotonic) the change came after which `until` holds; None if none did within `seconds`.

        Raises RuntimeError if a watch broke: what it said is no longer true then.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                if self._error is not None:
                    raise RuntimeError(f"a watch of namespace {self.name} broke") from self._error
                if until(self.objects):
                    return self._last
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    return None

    def _follow(self, api: Api, path: str, plural: str) -> None:
        try:
            buffer = b""
            for chunk in api.stream(path).stream(65536, decode_content=True):
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    self._take(json.loads(line), plural)
            raise RuntimeError(f"the watch of {path} ended")
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self, event: Body, plural: str) -> None:
        kind, body = event["type"], event["object"]
        if kind == "ERROR":
            raise RuntimeError(str(body.get("message")))
        key = (plural, body["metadata"]["name"])
        with self._changed:
            if kind == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = body
            self._last = time.monotonic()
            self._changed.notify_all()
