"""`spec.graph`: what is computed, and where its code comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ConfigMapSource:
    """The ConfigMap that has the code."""

    #: name of the ConfigMap. When there is none, the job fails with ConfigMapNotFound.
    name: str = ""


@dataclass(frozen=True)
class SecretReference:
    """A Secret in the job's namespace."""

    #: name of the Secret.
    name: str = ""


@dataclass(frozen=True)
class GitSource:
    """A git repository that has the code. One commit of it is fetched in each pod of the job, before it starts."""

    #: url of the repository: https://, http:// or ssh://, without a password in it (see secretRef).
    url: str = ""
    #: revision is a branch, a tag, a full reference (refs/...) or a commit with all its 40 digits. Default HEAD, the
    #: repository's default branch. The first attempt of a run finds its commit (status.attempts[].commit); all pods and
    #: all further attempts have that commit.
    revision: str = "HEAD"
    #: subPath is the folder of the repository that is first on the path for imports. Default: the repository itself.
    sub_path: str = ""
    #: secretRef names a Secret with username and password (a token), or with ssh-privatekey and known_hosts, and maybe
    #: ca.crt, the authority of the server's certificate. Default none.
    secret_ref: SecretReference | None = None
    #: submodules: true fetches the repository's submodules as well. Default false.
    submodules: bool = False


@dataclass(frozen=True)
class ArchiveSource:
    """A tar or zip file that has the code, fetched in each pod of the job, before it starts."""

    #: url of the file: https://, http://, or one that fsspec in the image reads, such as s3://, without a password in
    #: it (see secretRef).
    url: str = ""
    #: sha256 of the file, as sha256sum prints it: another file is not unpacked.
    sha256: str = ""
    #: subPath is the folder of the archive that is first on the path for imports. Default: the archive itself.
    sub_path: str = ""
    #: secretRef names a Secret with username and password for http and https, or with variables for the library of a
    #: store, such as AWS_ACCESS_KEY_ID, and maybe ca.crt. Default none.
    secret_ref: SecretReference | None = None


@dataclass(frozen=True)
class PayloadSource:
    """What the Python client pickled, in a Secret that the job owns (`api.payload_secret`)."""

    #: sha256 of the payload in hexadecimal; what differs is not opened (FilesChanged).
    sha256: str = ""


@dataclass(frozen=True)
class Source:
    """Where the code is; exactly one is set. No source at all: the code is in the image."""

    #: inline is Python source, which becomes the module that entrypoint names. At most 262144 characters (256 KiB).
    inline: str | None = None
    #: files maps relative paths (pkg/mod.py) to contents; their root is on the path for imports. At most 256 files of
    #: 262144 characters each, 524288 together: for more, use an image.
    files: Mapping[str, Any] | None = None
    #: configMap names a ConfigMap in the job's namespace; each of its keys is a file.
    config_map: ConfigMapSource | None = None
    #: git names a repository and a revision, fetched in each pod of the job by the git of the image.
    git: GitSource | None = None
    #: archive names a tar or zip file, fetched and compared with its digest in each pod of the job.
    archive: ArchiveSource | None = None
    #: payload is a function with its arguments, or a graph, that the Python client pickled. It is in the Secret
    #: NAME-payload-DIGEST (the job's name, the first ten digits of sha256) that the job owns; the runner's pod alone
    #: mounts it. When it does not come within 60 s, the job fails with PayloadMissing. entrypoint is then only the name
    #: that people see; args, kwargs and keys are in the payload (InvalidJob otherwise).
    payload: PayloadSource | None = None


@dataclass(frozen=True)
class PipPackages:
    """Packages that are installed."""

    #: packages are requirements as pip takes them: a name, maybe extras, versions and a marker. Name a version
    #: (requests==2.32.3), or a worker that joins later may get a newer one. Hashes may follow, as in a requirements
    #: file (requests==2.32.3 --hash=sha256:...): then all that are installed need a version and a hash, also those that
    #: they need.
    packages: tuple[str, ...] = ()
    #: indexUrl is the package index, https:// or http://, without a password in it (see secretRef). Default: what the
    #: image's pip is configured to.
    index_url: str = ""
    #: secretRef names a Secret with username and password for indexUrl, and maybe ca.crt. Default none.
    secret_ref: SecretReference | None = None


@dataclass(frozen=True)
class Graph:
    """What is computed."""

    #: entrypoint is where the graph is, as package.module:attribute (attribute may be a path, a.b). It may be a Delayed
    #: or other Dask collection, a list, tuple or dict of them, a raw graph (see keys), a callable, or any value. A
    #: callable is called with args and kwargs, with the connected distributed.Client as `client` if its signature names
    #: one, and awaited if it is a coroutine function.
    entrypoint: str = ""
    #: args are the positional arguments, any JSON, for an entrypoint that is callable. Default none. Kubernetes stores
    #: numbers its way: 1.0 arrives as 1, and an integer beyond 64 bits is rounded: write that one as a string.
    args: tuple[Any, ...] = ()
    #: kwargs are the keyword arguments, any JSON by name, for an entrypoint that is callable. Default none. For numbers
    #: see args. A client-side kubectl apply drops what is null (in args too): use kubectl apply --server-side then.
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    #: keys are the keys to compute of a raw graph (a dict). Each is a string, a number, or a list that stands for a
    #: tuple: ["x", 0] is ("x", 0). Needed for a raw graph, not allowed for anything else (the runner says so).
    keys: tuple[Any, ...] = ()
    #: source is where the code comes from: exactly one of inline, files, configMap, git, archive and payload. Absent:
    #: the code is in the image.
    source: Source | None = None
    #: pip names packages that are installed in each pod of the job, by the pip of the image, before it starts. They
    #: come before the image's own; dask, distributed and what they speak with stay the image's.
    pip: PipPackages | None = None

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.entrypoint.partition(":")[0]
