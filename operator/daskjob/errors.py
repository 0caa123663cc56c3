"""The errors that cross a border between parts of this package.

DaskJobError
├── SpecError      a manifest asks for something that cannot be: names the field and what to write instead
└── ApiError       the Kubernetes API refused or did not answer (see `daskjob.kube.client`)
"""

from __future__ import annotations


class DaskJobError(Exception):
    """Base of all errors of this package."""


class SpecError(DaskJobError):
    """A field of a DaskJob that the operator cannot accept.

    Attributes: `path`, the field as a user would write it (`spec.runner.template.spec.hostNetwork`), and
    `message`, what is wrong with it and what to do.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
