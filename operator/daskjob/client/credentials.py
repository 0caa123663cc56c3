"""Finds the cluster and the user's credentials, by kubeconfig or as a pod's service account."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daskjob.client.problems import ClusterUnreachable, Unauthorized

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: kubectl's own default.
DEFAULT_KUBECONFIG = "~/.kube/config"


@dataclass(frozen=True)
class Target:
    """Which cluster and namespace; None: as kubectl would choose."""

    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None


@dataclass(frozen=True)
class Access:
    """A cluster, with credentials. `configuration`: of the `kubernetes` package; `namespace`: to be used if none is
    given."""

    configuration: Any
    namespace: str

    def headers(self) -> dict[str, str]:
        """The headers that say who asks. A token that has run out is fetched anew."""
        settings = self.configuration.auth_settings().values()
        return {each["key"]: each["value"] for each in settings if each["in"] == "header" and each["value"]}


def load(target: Target) -> Access:
    """Reads the credentials; an exec plugin is run. Raises ClusterUnreachable if there are none, and Unauthorized if a
    plugin fails."""
    try:
        import kubernetes  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "kubernetes":
            raise
        raise ModuleNotFoundError(
            "the jobs of a cluster need pip install 'daskjob[client]'", name="kubernetes"
        ) from None
    explicit = bool(target.kubeconfig or target.context)
    files = target.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    exists = any(Path(each).expanduser().is_file() for each in files.split(os.pathsep) if each)
    if exists:
        return _from_kubeconfig(files, target)
    if not explicit and os.environ.get("KUBERNETES_SERVICE_HOST") and (SERVICE_ACCOUNT / "token").is_file():
        return _from_pod(target)
    raise ClusterUnreachable(
        f"no kubeconfig: there is no file {files}, and this is no pod with a service account; give --kubeconfig FILE, "
        "or set KUBECONFIG"
    )


def _from_kubeconfig(files: str, target: Target) -> Access:
    import yaml
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

    configuration = _defaults(Configuration())
    with _logged_errors() as errors:
        try:
            merger = KubeConfigMerger(files)
            loader = KubeConfigLoader(
                config_dict=merger.config,
                active_context=target.context,
                config_base_path=None,
                config_persister=merger.save_changes,
            )
            loader.load_and_set(configuration)
            if "proxy" in vars(loader):
                # The kubeconfig's own one counts for its cluster, whatever NO_PROXY says of others: as kubectl has it.
                configuration.no_proxy = None
            context = loader.current_context
        except ConfigException as error:
            raise ClusterUnreachable(f"{files}: {error}{_contexts(target)}") from None
        except (yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ClusterUnreachable(f"{files}: not a kubeconfig that can be read: {error}") from None
    failure = next((each for each in errors if each.startswith("exec:") or "No such file" in each), None)
    if failure is not None and not configuration.api_key and not configuration.cert_file:
        raise Unauthorized(f"{files}: the credential plugin of this context failed: {failure}")
    details = context.get("context") or {}
    return Access(configuration, target.namespace or details.get("namespace") or "default")


def _from_pod(target: Target) -> Access:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config

    configuration = _defaults(Configuration())
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise ClusterUnreachable(f"the pod's service account cannot be used: {error}") from None
    try:
        own = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except OSError:
        own = ""
    return Access(configuration, target.namespace or own or "default")


def _defaults(configuration: Any) -> Any:
    configuration.connection_pool_maxsize = 20
    return configuration


def _contexts(target: Target) -> str:
    return (
        f"; `kubectl config get-contexts` lists the contexts, --context {target.context} is none of them"
        if (target.context)
        else ""
    )


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """What is logged meanwhile: the `kubernetes` package logs why an exec plugin failed, and goes on without a
    user."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    messages: list[str] = []
    collector = Collector(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield messages
    finally:
        root.removeHandler(collector)
