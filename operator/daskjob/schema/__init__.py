"""Validates a manifest as the API server would, but offline: with the CRDs' own schemas and CEL rules.

>>> [str(problem) for problem in validate({"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob"})]
['metadata.name: is missing: write a name such as square-sum', 'spec: is missing: spec says what to compute and where']
"""

from __future__ import annotations

from daskjob.schema.crds import find_crds, load_crds
from daskjob.schema.field_error import FieldError
from daskjob.schema.properties import property_paths
from daskjob.schema.validate import apply_defaults, unchecked_by_server, validate

__all__ = [
    "FieldError",
    "apply_defaults",
    "find_crds",
    "load_crds",
    "property_paths",
    "unchecked_by_server",
    "validate",
]
