"""All cases of specs that are accepted or refused, offline and by an API server."""

from __future__ import annotations

from . import cases, cluster_cases, fetched_cases, running, store_cases

MODULES = (cases, fetched_cases, running, store_cases)
ACCEPTED = {name: manifest for module in MODULES for name, manifest in module.ACCEPTED.items()}
REFUSED = [case for module in (*MODULES, cluster_cases) for case in module.REFUSED]
