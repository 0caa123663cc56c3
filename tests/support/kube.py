"""A cluster's API through kubectl, as a user has it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .programs import program

Manifest = dict[str, Any]


class KubectlFailed(AssertionError):
    """kubectl ended with an error; `words` is what it said."""

    def __init__(self, arguments: tuple[str, ...], words: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}: {words.strip()}")
        self.words = words


@dataclass(frozen=True)
class Kube:
    """One cluster, and one namespace of it for all that has one."""

    kubeconfig: str
    namespace: str = "default"

    def within(self, namespace: str) -> Kube:
        return replace(self, namespace=namespace)

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        """What `kubectl ARGUMENTS` printed. Raises KubectlFailed with its words."""
        command = [program("kubectl"), "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise KubectlFailed(arguments, done.stderr or done.stdout)
        return done.stdout

    def get(self, kind: str, name: str) -> Manifest | None:
        """The object; None if there is none of that name."""
        found = self.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found.strip() else None

    def list(self, kinds: str, selector: str = "") -> list[Manifest]:
        """Every object of these kinds (comma-separated) in the namespace."""
        chosen = ["--selector", selector] if selector else []
        items: list[Manifest] = json.loads(self.kubectl("get", kinds, *chosen, "-o", "json"))["items"]
        return items

    def apply(self, *manifests: Manifest) -> None:
        """Applies them as `kubectl apply` does; raises KubectlFailed with the API server's words."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))

    def patch(self, kind: str, name: str, change: Mapping[str, Any], subresource: str = "", user: str = "") -> None:
        """A merge patch."""
        options = [f"--subresource={subresource}"] if subresource else []
        options += [f"--as={user}"] if user else []
        self.kubectl("patch", kind, name, "--type=merge", "--patch", json.dumps(change), *options)

    def delete(self, kind: str, *names: str, wait: bool = False, now: bool = False) -> None:
        options = [f"--wait={str(wait).lower()}", "--ignore-not-found"]
        options += ["--grace-period=0", "--force"] if now else []
        self.kubectl("delete", kind, *names, *options)

    def version(self) -> str:
        return str(json.loads(self.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"])
