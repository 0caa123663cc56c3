#!/usr/bin/env python3
"""Lists what is in an image (a software bill of materials) as a CycloneDX document.

    docker save daskjob/operator | .venv/bin/python image/contents.py - > operator.cdx.json

It reads the archive of the image as it was built, so it lists what is there and not what was asked for: Debian's
packages, Python's packages with what they require of each other, and an interpreter that did not come from Debian. The
same image gives the same document. Needs the extra `sbom`.
"""

from __future__ import annotations

import argparse
import email
import json
import re
import shutil
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

#: What the document is made from, by the file's path in the image.
FILES = re.compile(
    r"etc/os-release|usr/lib/os-release|var/lib/dpkg/status(\.d/[^/]+)?"
    r"|.*/(site|dist)-packages/[^/]+\.(dist-info/METADATA|egg-info/PKG-INFO)"
)
#: A layer says by files of these names what is gone of the layers below.
REMOVED, EMPTIED = ".wh.", ".wh..wh..opq"
SCHEMA = SchemaVersion.V1_6


class ArchiveError(Exception):
    """What was given is not the archive of one image."""


@dataclass(frozen=True)
class Image:
    """An image: its ID, name, configuration, and the files of it that count, by path."""

    id: str
    name: str
    config: Mapping[str, Any]
    files: Mapping[str, str]


@dataclass(frozen=True)
class Package:
    """A package in the image. `place`: the folder of Python packages that it lies in, empty for one of Debian."""

    name: str
    version: str
    url: PackageURL
    place: str = ""
    requires: tuple[str, ...] = field(default=())


def read_image(archive: IO[bytes]) -> Image:
    """Reads what `docker save` or `buildah push docker-archive:` wrote. Raises ArchiveError."""
    with tarfile.open(fileobj=archive) as outer:
        try:
            manifest = json.loads(_content(outer, "manifest.json"))
            if len(manifest) != 1:
                raise ArchiveError(f"the archive has {len(manifest)} images: save one")
            config = json.loads(_content(outer, manifest[0]["Config"]))
            files: dict[str, str] = {}
            for name in manifest[0]["Layers"]:
                _add_layer(files, outer, name)
        except (KeyError, ValueError, tarfile.TarError) as error:
            raise ArchiveError(f"this is no archive of an image as `docker save` writes it: {error}") from None
    digest = Path(manifest[0]["Config"]).name.removesuffix(".json")
    return Image(f"sha256:{digest}", (manifest[0].get("RepoTags") or ["image"])[0], config, files)


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def _add_layer(files: dict[str, str], archive: tarfile.TarFile, name: str) -> None:
    """Changes the files as the layer does."""
    with tarfile.open(fileobj=archive.extractfile(name)) as layer:
        for member in layer:
            path = member.name.removeprefix("./").strip("/")
            folder, _, last = path.rpartition("/")
            if last == EMPTIED:
                _remove(files, folder)
            elif last.startswith(REMOVED):
                _remove(files, f"{folder}/{last.removeprefix(REMOVED)}".strip("/"))
            elif member.isfile() and FILES.fullmatch(path):
                files[path] = _content(layer, member.name).decode(errors="replace")


def _remove(files: dict[str, str], path: str) -> None:
    for each in [each for each in files if each == path or each.startswith(f"{path}/")]:
        del files[each]


def packages(image: Image) -> Iterator[Package]:
    """All packages, by Debian's and Python's own records."""
    system = _fields_of_os(image)
    distribution = f"{system.get('ID', 'debian')}-{system.get('VERSION_ID', '')}".rstrip("-")
    for path, text in image.files.items():
        if path.startswith("var/lib/dpkg/"):
            for record in re.split(r"\n\n+", text.strip()):
                yield from _debian_package(record, system.get("ID", "debian"), distribution)
        elif not path.endswith("os-release"):
            yield _python_package(path, text)
    variables = dict(each.split("=", 1) for each in image.config.get("config", {}).get("Env") or ())
    if version := variables.get("PYTHON_VERSION"):
        # The images called python build their own, which no package is for.
        yield Package("python", version, PackageURL("generic", None, "python", version))


def _fields_of_os(image: Image) -> dict[str, str]:
    text = image.files.get("etc/os-release") or image.files.get("usr/lib/os-release") or ""
    return dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)', text, re.MULTILINE))


def _debian_package(record: str, system: str, distribution: str) -> Iterator[Package]:
    fields = email.message_from_string(record)
    # Records in status.d, as images without dpkg have them, name no status.
    if fields.get("Status", "install ok installed").split()[-1] != "installed" or "Package" not in fields:
        return
    name, version = fields["Package"], fields["Version"]
    qualifiers = {"arch": fields.get("Architecture", ""), "distro": distribution}
    if source := re.fullmatch(r"(\S+)(?: \((.+)\))?", fields.get("Source", "")):
        # Weaknesses are recorded for the source: its name, and its version if that is another one.
        qualifiers["upstream"] = "@".join(each for each in source.groups() if each)
    yield Package(name, version, PackageURL("deb", system, name, version, qualifiers))


def _python_package(path: str, text: str) -> Package:
    fields = email.message_from_string(text)
    name, version, place = canonicalize_name(fields["Name"]), fields["Version"], path.rsplit("/", 2)[0]
    requires = tuple(_required(fields.get_all("Requires-Dist") or [], place))
    return Package(name, version, PackageURL("pypi", None, name, version), place, requires)


def _required(lines: list[str], place: str) -> Iterator[str]:
    """Names of what a package in that folder requires on its own: not by an extra, nor on another system."""
    environment = {"extra": "", "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    if python := re.search(r"/python(3\.\d+)/", place):
        environment |= {"python_version": python[1], "python_full_version": f"{python[1]}.0"}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield canonicalize_name(requirement.name)


def document(image: Image) -> str:
    """The CycloneDX document, checked against the schema. Raises ArchiveError if the image has no package."""
    found = sorted(packages(image), key=lambda each: (each.url.to_string(), each.place))
    if not found:
        raise ArchiveError("the image has no packages that this program knows")
    parts = {each: _component(each) for each in found}
    ours = next((each.version for each in found if each.name == "daskjob"), None)
    whole = Component(name=image.name.rpartition(":")[0] or image.name, type=ComponentType.CONTAINER, version=ours)
    whole.bom_ref.value = image.id
    whole.properties.add(Property(name="image:id", value=image.id))
    for name, value in sorted((image.config.get("config", {}).get("Labels") or {}).items()):
        whole.properties.add(Property(name=f"image:label:{name}", value=value))
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, image.id), components=parts.values())
    bom.metadata.component = whole
    if created := re.match(r"[-0-9]{10}T[:0-9]{8}", image.config.get("created") or ""):
        bom.metadata.timestamp = datetime.fromisoformat(f"{created[0]}+00:00")
    bom.dependencies.add(Dependency(whole.bom_ref, [Dependency(each.bom_ref) for each in parts.values()]))
    for package, component in parts.items():
        needed = (
            each for other, each in parts.items() if other.place == package.place and other.name in package.requires
        )
        bom.dependencies.add(Dependency(component.bom_ref, [Dependency(each.bom_ref) for each in needed]))
    text = make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2)
    if problem := make_schemabased_validator(OutputFormat.JSON, SCHEMA).validate_str(text):
        raise AssertionError(f"the document does not fit its schema: {problem}")
    return f"{text}\n"


def _component(package: Package) -> Component:
    kind = ComponentType.LIBRARY if package.url.type in ("deb", "pypi") else ComponentType.APPLICATION
    component = Component(name=package.name, version=package.version, type=kind, purl=package.url)
    component.bom_ref.value = f"{package.url.to_string()}#{package.place}".rstrip("#")
    if package.place:
        component.properties.add(Property(name="image:folder", value=f"/{package.place}"))
    return component


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archive", help="what `docker save IMAGE` wrote; - for standard input")
    given = parser.parse_args().archive
    try:
        # The archive's list of layers comes at its end.
        with tempfile.TemporaryFile() if given == "-" else Path(given).open("rb") as archive:
            if given == "-":
                shutil.copyfileobj(sys.stdin.buffer, archive)
                archive.seek(0)
            print(document(read_image(archive)), end="")
    except (ArchiveError, OSError, tarfile.TarError) as error:
        sys.exit(f"image/contents.py: {given}: {error}")


if __name__ == "__main__":
    main()
