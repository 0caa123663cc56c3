"""The Secret of a source, as its files are mounted: nothing of it goes into an argument, a log or a message."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from daskjob.fetch.fetch_problem import FORBIDDEN, FetchProblem
from daskjob.results.opened_store import by_place

#: The keys that are read: those of Kubernetes' own types of Secrets (basic-auth, ssh-auth), and what goes with them.
USER, PASSWORD, SSH_KEY, KNOWN_HOSTS, AUTHORITY = "username", "password", "ssh-privatekey", "known_hosts", "ca.crt"
KEYS = (USER, PASSWORD, SSH_KEY, KNOWN_HOSTS, AUTHORITY)
#: A key that is the name of a variable, for the library of a store (`source.archive`).
VARIABLE = re.compile("[A-Z][A-Z0-9_]*")
MOST_BYTES = 64 * 1024
_USER_IN_URL = re.compile(r"(https?://)[^/?#\s]+@")


@dataclass(frozen=True)
class Credentials:
    """`secret`: the Secret's name, empty: there is none; `folder`: where its files are; `values`: text by key."""

    secret: str = ""
    folder: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def path(self, key: str) -> str:
        return os.path.join(self.folder, key)

    @property
    def user(self) -> str:
        """The user's name; where a token alone is needed, any will do."""
        return self.values.get(USER, "git")

    @property
    def basic(self) -> str:
        """The value of the header Authorization; empty: there is no password."""
        if PASSWORD not in self.values:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.values[PASSWORD]}".encode()).decode()

    @property
    def variables(self) -> Mapping[str, str]:
        """The values whose keys are names of variables, such as AWS_ACCESS_KEY_ID, for the library of a store."""
        return {key: value for key, value in self.values.items() if VARIABLE.fullmatch(key)}

    @property
    def named(self) -> str:
        """What to do where a server asks for more."""
        if not self.secret:
            return by_place(
                "name a Secret with username and password in secretRef",
                "here it has no password: run the job in a cluster",
            )
        return f"look at username and password in Secret {self.secret}, and at what they may read"

    def without_secrets(self, text: str) -> str:
        """The text without the Secret's values, should a server or a program repeat one, and without what a URL of the
        image or of a variable has before its host, such as that of a proxy."""
        text = _USER_IN_URL.sub(r"\1***@", text)
        for key in (PASSWORD, SSH_KEY, *self.variables):
            value = self.values.get(key, "")
            if len(value) > 3:
                text = text.replace(value, "***")
        return text.replace(self.basic[6:], "***") if self.basic else text


def read_credentials(secret: str, folder: str) -> Credentials:
    """Reads the mounted Secret. Raises FetchProblem for one that has none of the keys, or a value of several lines
    where one is wanted."""
    values = {}
    for key in (*KEYS, *filter(VARIABLE.fullmatch, _names(folder))):
        try:
            with open(os.path.join(folder, key), encoding="utf-8") as file:
                values[key] = file.read(MOST_BYTES)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeError) as error:
            raise FetchProblem(FORBIDDEN, f"Secret {secret}: {key} cannot be read: {error}") from None
    for key in (USER, PASSWORD):
        if key in values:
            # What `echo` and editors put at the end.
            values[key] = values[key].rstrip("\r\n")
            if not values[key].isprintable() or not values[key]:
                raise FetchProblem(FORBIDDEN, f"Secret {secret}: {key} is not one line of text")
    if not values:
        raise FetchProblem(FORBIDDEN, f"Secret {secret} has none of the keys {', '.join(KEYS)}")
    return Credentials(secret, folder, values)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
