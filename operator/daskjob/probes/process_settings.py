"""Settings that the operator and the Dask controller both read from their environment.

An empty variable counts as not set.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kopf

from daskjob.wire import clean

#: kopf's timeouts in both processes, in seconds.
WATCH_CONNECT, WATCH_SERVER, WATCH_CLIENT = 5, 300, 330
CONNECT = 5
EXITING = 20


@dataclass(frozen=True)
class Environment:
    """The variables `DASKJOB_<NAME>`. Every method raises ValueError naming the variable and what to give instead."""

    variables: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        return self.variables.get(f"DASKJOB_{name}", "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        """The words of a list that is separated by commas."""
        return tuple(word.strip() for word in self.text(name).split(",") if word.strip())

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name, str(default)))
        except ValueError:
            raise ValueError(f"DASKJOB_{name}: {self.text(name)!r} is not a whole number; give one") from None

    def port(self, name: str, default: int) -> int:
        value = self.number(name, default)
        if not 0 <= value <= 65535:
            raise ValueError(f"DASKJOB_{name}: {value} is no port; give 1 to 65535, or 0 for none")
        return value

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        """One of these words, in upper or lower case; returned as in `choices`."""
        value = self.text(name, default)
        for each in choices:
            if each.lower() == value.lower():
                return each
        raise ValueError(f"DASKJOB_{name}: {value!r} is unknown; give {', '.join(choices)}")

    def mapping(self, name: str, default: Mapping[str, Any]) -> Mapping[str, Any]:
        """A JSON object."""
        value = self._json(name, default)
        if not isinstance(value, Mapping):
            raise ValueError(f"DASKJOB_{name}: must be a JSON object")
        return value

    def objects(self, name: str) -> Sequence[Mapping[str, Any]]:
        """A JSON list of objects; not set: an empty one."""
        value = self._json(name, [])
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise ValueError(f"DASKJOB_{name}: must be a JSON list of objects")
        return tuple(value)

    def _json(self, name: str, default: Any) -> Any:
        try:
            return json.loads(self.text(name)) if self.text(name) else default
        except ValueError as error:
            raise ValueError(f"DASKJOB_{name}: not JSON: {error}") from None


@dataclass(frozen=True)
class ProcessSettings:
    """One field per variable `DASKJOB_<NAME>`."""

    #: Namespaces to serve; empty: all.
    namespaces: tuple[str, ...] = ()
    #: Port of /healthz and /readyz; 0: none.
    health_port: int = 8080
    #: `plain` or `json`.
    log_format: str = "plain"
    #: DEBUG, INFO, WARNING or ERROR.
    log_level: str = "INFO"
    #: Namespaces that are not served, if all are.
    excluded: tuple[str, ...] = ()

    @classmethod
    def read(cls, environment: Environment) -> ProcessSettings:
        """Reads the settings. Raises ValueError, which names the variable, for an invalid one."""
        return cls(
            environment.words("NAMESPACES"),
            environment.port("HEALTH_PORT", cls.health_port),
            environment.choice("LOG_FORMAT", cls.log_format, ("plain", "json")),
            environment.choice("LOG_LEVEL", cls.log_level, ("DEBUG", "INFO", "WARNING", "ERROR")),
            environment.words("EXCLUDE_NAMESPACES"),
        )


class PlainLines(logging.Formatter):
    """Lines of another formatter, without what a terminal obeys: errors of the API server, and of webhooks behind it,
    are in them in their own words."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return clean(self._inner.format(record))


def configure_logging(settings: ProcessSettings) -> None:
    """Sets format and level of the process' log lines."""
    kopf.configure(log_format=kopf.LogFormat.JSON if settings.log_format == "json" else kopf.LogFormat.FULL)
    logging.getLogger().setLevel(settings.log_level)
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, PlainLines):
            handler.setFormatter(PlainLines(handler.formatter or logging.Formatter()))


def configure_kopf(settings: kopf.OperatorSettings) -> None:
    """Sets the settings of kopf that both processes have."""
    # A Lease elects the leader; kopf's own peering is advisory and compares clocks.
    settings.peering.standalone = True
    # kopf must not post Events on objects.
    settings.posting.enabled = False
    # The kinds are fixed: kopf must not watch CRDs and namespaces, on which the processes have no rights.
    settings.scanning.disabled = True
    settings.watching.connect_timeout = WATCH_CONNECT
    settings.watching.server_timeout = WATCH_SERVER
    settings.watching.client_timeout = WATCH_CLIENT
    settings.networking.connect_timeout = CONNECT
    settings.process.ultimate_exiting_timeout = EXITING
