"""How the process reaches the API server: one login for kopf, one shared client for kr8s."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any

import httpx
import kopf
import kr8s
from kr8s.asyncio import Api

from daskjob.dask_controller.bare_pods import DEPLOYMENTS, PODS, acting, owner_of, pod_of
from daskjob.dask_controller.new_groups import NewGroups
from daskjob.dask_controller.origin import Origin, same_workers
from daskjob.dask_controller.owner_checks import OwnerChecks, stays
from daskjob.dask_controller.refusals import (
    REFUSED_ANNOTATION,
    Refusals,
    is_about_the_object,
    message_of,
    refusal_text,
)

GROUP_VERSION, JOBS = "kubernetes.dask.org/v1", "daskjob.io/v1alpha1"
RESOURCES = frozenset({"daskclusters", "daskworkergroups"})
REQUEST_SECONDS = 20.0
CONNECTIONS = 20
#: How `exists()` is answered without a request, by resource. An object is created without the question whether it
#: exists: the answer to the creation says so. The operator creates the Service of each of its clusters.
KNOWN = {DEPLOYMENTS: httpx.codes.NOT_FOUND, "daskworkergroups": httpx.codes.NOT_FOUND, "services": httpx.codes.OK}
#: The resources of those that own pods, by kind.
OWNERS = {"DaskCluster": "daskclusters", "DaskWorkerGroup": "daskworkergroups"}

logger = logging.getLogger(__name__)


class SharedApi(Api):
    """kr8s' client, but it logs in and reads the server's version only once.

    kr8s does both for every object that a handler touches, which would be half of all requests, and closes its
    connections whenever no handler holds an object. kr8s still renews an expired token: it reads the token after a 401.
    """

    def __init__(self) -> None:
        super().__init__(
            bypass_factory=True, url=None, kubeconfig=None, serviceaccount=None, namespace=None, context=None
        )
        # No timeout for a connection of the pool: a request may wait for those that are being sent.
        self.timeout = httpx.Timeout(REQUEST_SECONDS, pool=None)
        self._once = asyncio.Lock()
        self._session_token: str | None = None
        self._ready = False
        self._new_groups = NewGroups()
        self._refusals = Refusals()
        self._owner_checks = OwnerChecks()
        self._origin = Origin()

    def __await__(self) -> Generator[Any, None, SharedApi]:
        return self._prepared().__await__()

    async def _prepared(self) -> SharedApi:
        if not self._ready:
            async with self._once:
                if not self._ready:
                    await self.auth
                    await self._check_version()
                    self._ready = True
        return self

    async def _create_session(self) -> None:
        """Creates a session as kr8s does, but none while the token is the same, and with as many connections as httpx
        keeps open.

        kr8s creates a session after every 403, also for an exceeded quota, and closes the old one while requests use
        it; httpx by default opens a hundred connections but keeps twenty open.
        """
        token = self.auth.token
        if token and token == self._session_token and self._session and not self._session.is_closed:
            return
        if self._session:
            await self._session.aclose()
        headers = {"User-Agent": self.__version__, "Content-Type": "application/json"}
        self._session = httpx.AsyncClient(
            base_url=self.auth.server,
            headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
            verify=await self.auth.ssl_context(),  # type: ignore[no-untyped-call]
            timeout=self.timeout,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            follow_redirects=True,
            proxy=self.auth.proxy,
        )
        self._session_token = token

    @asynccontextmanager
    async def call_api(
        self,
        method: str = "GET",
        version: str = "v1",
        base: str = "",
        namespace: str | None = None,
        url: str = "",
        raise_for_status: bool = True,
        stream: bool = False,
        **arguments: Any,
    ) -> AsyncGenerator[httpx.Response]:
        """Sends a request as kr8s does; but Deployments are pods (`bare_pods`), the creation of an object that exists
        returns that object, and nothing is asked whose answer is known: whether an object exists before it is created
        (`KNOWN`), and how many workers a group has that was created just now.
        """
        # Only `exists()` takes any status for an answer.
        if method == "GET" and not raise_for_status and (known := KNOWN.get(url.split("/")[0])) is not None:
            yield httpx.Response(known)
            return
        match method, url:
            case "GET", "deployments":
                yield await self._acting_pods(namespace, arguments)
                return
            case "POST", "deployments":
                yield await self._create_pod(namespace, pod_of(json.loads(arguments["content"])))
                return
        # kr8s logs in anew and tries again after a 403, which for a group means a quota or a policy.
        plain = raise_for_status and (method, url) != ("POST", "daskworkergroups")
        request = super().call_api(method, version, base, namespace, url, plain, stream, **arguments)
        try:
            with self._creation(method, namespace, url, arguments):
                response = await request.__aenter__()
                if response.status_code == httpx.codes.UNAUTHORIZED and plain != raise_for_status:
                    request = super().call_api(method, version, base, namespace, url, **arguments)
                    response = await request.__aenter__()
                if response.is_error and raise_for_status:
                    raise kr8s.ServerError(message_of(response), status=None, response=response)
        except kr8s.ServerError as error:
            await self._tell_refused_group(method, namespace, url, arguments, error.response)
            if method != "POST" or not _already_exists(error.response):
                raise
            request = super().call_api("GET", version, base, namespace, f"{url}/{_name_in(arguments)}")
            response = await request.__aenter__()
        async with AsyncExitStack() as stack:
            stack.push_async_exit(request)
            if (method, url) == ("POST", "daskworkergroups"):
                await self._check_group(namespace, json.loads(arguments["content"]), response)
            yield response

    async def _check_group(self, namespace: str | None, wanted: dict[str, Any], response: httpx.Response) -> None:
        """Remembers the worker group that was created, or found, for a cluster. Raises `kopf.TemporaryError` if it is
        somebody else's, and tells the cluster so."""
        found, owner = {"metadata": {}, **response.json()}, owner_of(wanted)
        created = response.request.method == "POST"
        if created or (owner_of(found).get("uid") == owner.get("uid") and same_workers(found, wanted)):
            self._origin.note(found["metadata"].get("uid", ""))
            return
        message = f'daskworkergroups.kubernetes.dask.org "{wanted["metadata"]["name"]}" already exists'
        text = json.dumps({"status": int(httpx.codes.CONFLICT), "message": message})
        raise await self._refused(namespace, owner, text, message)

    async def _tell_refused_group(
        self,
        method: str,
        namespace: str | None,
        url: str,
        arguments: Mapping[str, Any],
        response: httpx.Response | None,
    ) -> None:
        """Raises `kopf.TemporaryError` if Kubernetes refused a worker group, and tells its cluster so."""
        if (method, url) != ("POST", "daskworkergroups") or response is None or _already_exists(response):
            return
        group = json.loads(arguments["content"])
        if (owner := owner_of(group)) and is_about_the_object(response):
            text = refusal_text(response, group, kind="DaskWorkerGroup")
            raise await self._refused(namespace, owner, text, message_of(response))

    async def _acting_pods(self, namespace: str | None, arguments: Mapping[str, Any]) -> httpx.Response:
        """The answer to a list of the Deployments of a worker group: those of its pods that may still act."""
        selector = (arguments.get("params") or {}).get("labelSelector")
        if self._new_groups.have_none(namespace, selector):
            return httpx.Response(httpx.codes.OK, json={"items": []})
        body = (await self._send("GET", namespace=namespace, url=PODS, **arguments)).json()
        group = str(selector).partition("=")[2]
        return httpx.Response(httpx.codes.OK, json={**body, "items": acting(body["items"], group)})

    async def _create_pod(self, namespace: str | None, pod: dict[str, Any]) -> httpx.Response:
        """Creates a pod, or finds the one that the same owner has under that name. If Kubernetes refuses it, the owner
        gets the reason, for the operator, and kopf runs the handler again after a pause (`kopf.TemporaryError`). Raises
        `kopf.PermanentError`, which ends the handler, if the owner is gone, as far as it asks; `kr8s.ServerError` as
        kr8s does if the API server had no time."""
        arguments: dict[str, Any] = {"namespace": namespace, "url": PODS, "content": json.dumps(pod)}
        owner = owner_of(pod)
        if owner and self._owner_checks.is_due(owner["uid"]) and not await self._stays(namespace, owner):
            raise kopf.PermanentError(f"{owner['kind']} {owner['name']} is gone: it gets no more pods")
        await self._check_origin(namespace, pod, owner)
        # kr8s logs in anew and tries again after a 403, which for a pod means a quota or a policy.
        response = await self._send("POST", raise_for_status=False, **arguments)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            response = await self._send("POST", **arguments)
        if response.is_success:
            self._refusals.forget(owner.get("uid", ""))
            return response
        if _already_exists(response):
            found = await self._send("GET", namespace=namespace, url=f"{PODS}/{pod['metadata']['name']}")
            if owner_of(found.json()).get("uid") == owner.get("uid"):
                return found
        if not owner or not is_about_the_object(response):
            raise kr8s.ServerError(message_of(response), status=None, response=response)
        raise await self._refused(namespace, owner, refusal_text(response, pod), message_of(response))

    async def _refused(
        self, namespace: str | None, owner: Mapping[str, Any], text: str, message: str
    ) -> kopf.TemporaryError:
        """What ends the handler for an owner whose object was refused. The owner gets the annotation's `text`, if that
        is new."""
        new, pause = self._refusals.add(owner["uid"], text)
        if new and not await self._tell_owner(namespace, owner, text):
            self._refusals.forget(owner["uid"])
        return kopf.TemporaryError(message, delay=pause)

    async def _send(self, method: str, version: str = "v1", **arguments: Any) -> httpx.Response:
        """The answer to a request that kr8s sends as it is."""
        async with super().call_api(method, version, **arguments) as response:
            return response

    async def _check_origin(self, namespace: str | None, pod: dict[str, Any], owner: Mapping[str, Any]) -> None:
        """Raises `kopf.PermanentError`, which ends the handler, for a pod of a cluster or group that the operator did
        not create: this process creates nothing for them."""

        async def get(plural: str, name: str) -> Mapping[str, Any] | None:
            version, url = JOBS if plural == "daskjobs" else GROUP_VERSION, f"{plural}/{name}"
            response = await self._send("GET", version, namespace=namespace, url=url, raise_for_status=False)
            if response.status_code == httpx.codes.NOT_FOUND:
                return None
            if not response.is_success:
                raise kr8s.ServerError(message_of(response), status=None, response=response)
            found: dict[str, Any] = response.json()
            return found

        problem = await self._origin.problem(pod, owner, get) if owner else ""
        if problem:
            raise kopf.PermanentError(
                f"{owner.get('kind')} {owner.get('name')} is left alone: the operator did not create it ({problem})"
            )

    async def _stays(self, namespace: str | None, owner: Mapping[str, Any]) -> bool:
        """Whether an owner exists and is not being deleted; True also if the API server does not say."""
        url = f"{OWNERS[owner['kind']]}/{owner['name']}"
        response = await self._send("GET", GROUP_VERSION, namespace=namespace, url=url, raise_for_status=False)
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        return stays(owner, response.json()) if response.is_success else True

    async def _tell_owner(self, namespace: str | None, owner: Mapping[str, Any], text: str) -> bool:
        """Writes why Kubernetes refused a pod into an annotation of the pod's owner, where the operator reads it.
        False if that failed."""
        patch = {"metadata": {"uid": owner["uid"], "annotations": {REFUSED_ANNOTATION: text}}}
        url = f"{OWNERS[owner['kind']]}/{owner['name']}"
        arguments: dict[str, Any] = {
            "namespace": namespace,
            "url": url,
            "headers": {"Content-Type": "application/merge-patch+json"},
            "content": json.dumps(patch),
        }
        response = await self._send("PATCH", GROUP_VERSION, raise_for_status=False, **arguments)
        if response.is_error:
            logger.warning("Not written to %s: %s", url, message_of(response))
        return bool(response.is_success)

    def _creation(
        self, method: str, namespace: str | None, url: str, arguments: Mapping[str, Any]
    ) -> AbstractContextManager[None]:
        """The context of the request: the creation of a worker group is noted."""
        if (method, url) != ("POST", "daskworkergroups"):
            return nullcontext()
        return self._new_groups.creation(namespace, _name_in(arguments))


def _name_in(arguments: Mapping[str, Any]) -> str:
    """The name of the object that a request creates."""
    return str(json.loads(arguments["content"])["metadata"]["name"])


def _already_exists(response: httpx.Response | None) -> bool:
    if response is None or response.status_code != httpx.codes.CONFLICT:
        return False
    return bool(response.json().get("reason") == "AlreadyExists")


async def open_api() -> SharedApi:
    """The client that kr8s shares with every handler, as long as the caller keeps it, with the API's resources already
    read.

    Raises `RuntimeError` if kr8s does not share it.
    """
    api = SharedApi()
    if await kr8s.asyncio.api() is not api:
        raise RuntimeError("kr8s does not share its clients any more: install the dask-kubernetes of pyproject.toml")
    # Handlers list Deployments by name, for which kr8s reads all API groups. Do that now, and not during the first job.
    try:
        await api.api_resources()
    except kr8s.ServerError as error:
        logger.warning("Not every API group answers (kr8s goes on without): %s", error)
    return api


async def wait_for_resources(api: Api, seconds: float) -> None:
    """Waits until the API server serves DaskClusters and DaskWorkerGroups, because kopf looks for them only at its
    start.

    Raises `kopf.PermanentError`, which ends the process, if it does not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    missing: list[str] = sorted(RESOURCES)
    while True:
        try:
            async with api.call_api("GET", version="", base="/apis", url=GROUP_VERSION) as response:
                missing = sorted(RESOURCES - {resource["name"] for resource in response.json()["resources"]})
        except kr8s.ServerError as error:
            if error.response is None or error.response.status_code != httpx.codes.NOT_FOUND:
                raise
        if not missing:
            return
        if time.monotonic() > deadline:
            raise kopf.PermanentError(
                f"the API server does not serve {' and '.join(missing)} of {GROUP_VERSION}: install the chart with "
                "daskController.crds.install=true, or apply dask-kubernetes' custom resource definitions"
            )
        logger.info("Waiting for the custom resource definitions of %s.", ", ".join(missing))
        await asyncio.sleep(1)


def login(environ: Mapping[str, str], **kwargs: Any) -> kopf.ConnectionInfo | None:
    """kopf's credentials: the pod's service account, else the kubeconfig; None if there is neither.

    In a pod they name the server by its address, as kr8s and client-go do, so that the process starts without DNS.
    """
    info: kopf.ConnectionInfo | None = kopf.login_with_service_account(**kwargs)
    if info is None:
        return kopf.login_with_kubeconfig(**kwargs)
    host = environ["KUBERNETES_SERVICE_HOST"]
    host = f"[{host}]" if ":" in host else host
    return dataclasses.replace(info, server=f"https://{host}:{environ.get('KUBERNETES_SERVICE_PORT', '443')}")
