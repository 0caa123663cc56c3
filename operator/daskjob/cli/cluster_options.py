"""The options that say which cluster, and the completion of names from it."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from daskjob.api import constants as c
from daskjob.api.resource import DASK_CRON_JOBS, DASK_JOBS, Resource
from daskjob.client.credentials import Target

if TYPE_CHECKING:
    from daskjob.client.job_client import DryRun, JobClient

#: Seconds that the completion of a name may take.
COMPLETION = 1.0
OUTPUTS = ("table", "wide", "json", "yaml", "name")

Command = Callable[..., Any]


def cluster(command: Command) -> Command:
    """Adds -n, --context and --kubeconfig; the command gets the `Target` as its first argument."""

    @click.option("-n", "--namespace", metavar="NAME", help="The namespace; by default that of the context.")
    @click.option("--context", metavar="NAME", help="The context of the kubeconfig; by default its current one.")
    @click.option("--kubeconfig", metavar="FILE", help="By default $KUBECONFIG, ~/.kube/config, or the pod's account.")
    @functools.wraps(command)
    def with_target(*arguments: Any, **options: Any) -> Any:
        return command(_target(options, pop=True), *arguments, **options)

    return with_target


def connect(target: Target, dry_run: DryRun | None = None) -> JobClient:
    """A client; imports what it needs only now."""
    from daskjob.client.job_client import JobClient

    return JobClient(target).dry(dry_run)


class _DryRun(click.Choice[str] if TYPE_CHECKING else click.Choice):  # type: ignore[misc]
    """The value may be left out, so that what follows may be taken for it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            self.fail(f"{value!r} is neither client nor server: write --dry-run=client, or --dry-run at the end")
        return value


class _Name(click.ParamType[str] if TYPE_CHECKING else click.ParamType):  # type: ignore[misc]
    """A name, also after its kind, as `-o name` and kubectl have it: `dj/NAME`, `daskjob.daskjob.io/NAME`."""

    name = "name"

    def __init__(self, endpoint: Resource, short: str) -> None:
        kinds = (endpoint.kind.lower(), endpoint.plural)
        self._before = {short, *kinds, *(f"{each}.{group}" for each in kinds for group in _GROUPS)}
        self._short = short

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        before, slash, name = str(value).rpartition("/")
        if slash and before.lower() not in self._before:
            self.fail(f"{value!r} is no name here: write NAME or {self._short}/NAME", param, ctx)
        if not name:
            self.fail("a name was expected, and this one is empty", param, ctx)
        return name


_GROUPS = (c.GROUP, f"{c.VERSION}.{c.GROUP}")


def seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Reads 90, 90s, 5m, 2h or 1h30m."""
    if value is None:
        return None
    total, digits, units = 0.0, "", {"s": 1, "m": 60, "h": 3600, "d": 86400}
    for letter in value if value[-1:] in units else f"{value}s":
        if letter in units and digits:
            total, digits = total + float(digits) * units[letter], ""
        elif letter.isdecimal() or (letter == "." and "." not in digits):
            digits += letter
        else:
            raise click.BadParameter(f"{value!r} is no time; write 90s, 5m or 1h30m")
    if digits:
        raise click.BadParameter(f"{value!r} is no time; write 90s, 5m or 1h30m")
    return total


def _storage_options(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, Any]:
    """Reads `{"endpoint_url": "https://…"}`."""
    try:
        found = json.loads(value or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        # The text may have a secret.
        example = '{"endpoint_url": "https://minio.example.com"}'
        raise click.BadParameter(f"it is no JSON object; write for example {example}")
    return found


def _target(options: dict[str, Any], pop: bool = False) -> Target:
    take = options.pop if pop else options.get
    return Target(take("context", None), take("kubeconfig", None), take("namespace", None))


def _completion(endpoint: Resource) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        given = context.params.get(parameter.name or "") or ()
        return [
            each
            for each in _names(_target(dict(context.params)), endpoint)
            if each.startswith(incomplete) and each not in given
        ]

    return complete


def _names(target: Target, endpoint: Resource) -> list[str]:
    """The names in the cluster; none if it does not answer in time."""
    found: list[str] = []

    def ask() -> None:
        try:
            found.extend(connect(target).names(endpoint=endpoint, timeout=COMPLETION))
        except Exception:
            # Whoever presses Tab has no use for an error.
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(COMPLETION)
    return list(found)


def _names_of(endpoint: Resource, short: str) -> Callable[[Command], Command]:
    complete, kind = _completion(endpoint), _Name(endpoint, short)
    return click.argument("names", metavar="NAME...", nargs=-1, required=True, type=kind, shell_complete=complete)


NAME = click.argument("name", type=_Name(DASK_JOBS, "dj"), shell_complete=_completion(DASK_JOBS))
NAMES = _names_of(DASK_JOBS, "dj")
CRON_NAMES = _names_of(DASK_CRON_JOBS, "dcj")
STORAGE_OPTIONS = click.option(
    "--storage-options",
    metavar="JSON",
    envvar="DASKJOB_STORAGE_OPTIONS",
    show_envvar=True,
    callback=_storage_options,
    help='Arguments of fsspec\'s driver for the store, over those of the job, as {"profile": "me"}.',
)
DRY_RUN = click.option(
    "--dry-run",
    type=_DryRun(["client", "server"]),
    is_flag=False,
    flag_value="client",
    help="Change nothing: check here alone (client, without a value), or let the API server check, too (server).",
)
TIMEOUT = click.option("--timeout", metavar="TIME", callback=seconds, help="As 90s, 5m or 1h; by default for ever.")
