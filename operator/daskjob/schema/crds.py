"""Finds and reads the CRD files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


def find_crds() -> Traversable:
    """The folder of the CRD files: package data of a wheel, or `crds/` of the checkout of an editable install.

    Raises FileNotFoundError if there is neither: then the installation is damaged.
    """
    packaged = files("daskjob.schema").joinpath("crds")
    checkout = Path(__file__).resolve().parents[3] / "crds"
    for folder in (packaged, checkout):
        if folder.joinpath("daskjobs.yaml").is_file():
            return folder
    raise FileNotFoundError(f"the CRD files of daskjob are neither in {packaged} nor in {checkout}: install it again")


@cache
def load_report_policy() -> tuple[dict[str, Any], ...]:
    """The manifests of the admission policy on reports and of its binding, as `kubectl apply` installs them."""
    import yaml

    return tuple(yaml.safe_load_all(find_crds().joinpath("report-policy.yaml").read_text(encoding="utf-8")))


@cache
def load_crds() -> dict[str, dict[str, Any]]:
    """The CRDs by kind (`DaskJob`, `DaskCronJob`, …), as their files have them. All callers share them: do not change
    them."""
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "reading the definitions needs pip install 'daskjob[validate]'", name="yaml"
        ) from error

    # libyaml, where PyYAML has it: ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(find_crds().iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".yaml"):
            continue
        for document in yaml.load_all(file.read_text(encoding="utf-8"), Loader=loader):
            if document and document["kind"] == "CustomResourceDefinition":
                found[document["spec"]["names"]["kind"]] = document
    return found


def schema_of(kind: str) -> dict[str, Any]:
    """The structural schema of a kind's one version."""
    (version,) = load_crds()[kind]["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def api_version(kind: str) -> str:
    """`daskjob.io/v1alpha1`, from the CRD."""
    spec = load_crds()[kind]["spec"]
    return f"{spec['group']}/{spec['versions'][0]['name']}"
