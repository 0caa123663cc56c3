"""Sources that are fetched, as manifests have them: accepted or refused."""

from __future__ import annotations

from typing import Any

from .cases import Refused, a_job, refused

_GIT = "spec.graph.source.git.url"
_PACKAGE = ("spec.graph.pip.packages[0]", "write a requirement such as requests==2.32.3")
_NAMES = ("spec.graph.source.git.revision", "write a branch, a tag, refs/... or a commit")
_PATHS = ("spec.graph.source.git.subPath", "write a relative path such as src/jobs")

ACCEPTED: dict[str, dict[str, Any]] = {
    "git": a_job("{graph: {source: {git: {url: 'https://host/team/code.git'}}}}"),
    "git by ssh": a_job(
        "{graph: {source: {git: {url: 'ssh://git@host:2222/code', revision: refs/pull/7/head, subPath: src/jobs, "
        "secretRef: {name: key}, submodules: true}}}}"
    ),
    "archive": a_job(
        f"{{graph: {{source: {{archive: {{url: 'https://host/code.tar.gz', sha256: {'0a' * 32}, subPath: src}}}}}}}}"
    ),
    "archive in a store": a_job(
        f"{{graph: {{source: {{archive: {{url: 's3://bucket/code.zip', sha256: {'0a' * 32}, "
        "secretRef: {name: s}}}}}"
    ),
    "packages": a_job(
        "{graph: {pip: {packages: [requests, 'dask-ml[all]>=2024.4,<2030', 'tomli==2.0.1; python_version < \"3.11\"'"
        "], indexUrl: 'https://index.example/simple/', secretRef: {name: index}}}}"
    ),
    "packages with hashes": a_job(
        f"{{graph: {{pip: {{packages: ['requests==2.32.3 --hash=sha256:{'0a' * 32} --hash=sha256:{'0b' * 32}', "
        f"'a[x,y-z]==1.0-1; sys_platform == \"linux-gnu\" --hash=sha512:{'0c' * 64}']}}}}}}"
    ),
    "packages beside a source": a_job("{graph: {source: {inline: x}, pip: {packages: [requests~=2.32]}}}"),
    "git by address": a_job("{graph: {source: {git: {url: 'http://[2001:db8::1]:8080/~me/code'}}}}"),
}

REFUSED: list[Refused] = [
    *(
        refused(f"git: {url}", f"{{graph: {{source: {{git: {{url: '{url}'}}}}}}}}", _GIT, "write https://host/path")
        for url in (
            *("ext::sh -c id", "file:///etc/x", "git://host/x", "git@host:x", "-u", "https://u:p@host/x"),
            *("https://u@host/x", "http://-host/x", "ssh://-o@host/x", "https://host", "https://ho st/x"),
        )
    ),
    *(
        refused(f"git: {url}", f"{{graph: {{source: {{git: {{url: '{url}'}}}}}}}}", _GIT, "no code is fetched")
        for url in ("http://169.254.169.254/x", "ssh://git@169.254.1.1/x", "http://[fe80::1]/x", "http://[::1]/x")
    ),
    *(
        refused(
            f"revision {text}", f"{{graph: {{source: {{git: {{url: 'https://h/x', revision: '{text}'}}}}}}}}", *_NAMES
        )
        for text in ("-x", "a..b", "a b", "a:b", "a/", "")
    ),
    *(
        refused(
            f"subPath {text}", f"{{graph: {{source: {{git: {{url: 'https://h/x', subPath: '{text}'}}}}}}}}", *_PATHS
        )
        for text in ("/etc", "../x", "a/../b", "a/", "")
    ),
    *(
        refused(f"archive: {url}", f"{{graph: {{source: {{archive: {{url: '{url}', sha256: {'0a' * 32}}}}}}}}}", *words)
        for words in (("spec.graph.source.archive.url", "write https://host/path"),)
        for url in ("file:///etc/x", "simplecache::s3://b/x", "https://u:p@h/x", "/x", "https://h", "memory://a/b")
    ),
    *(
        refused(f"package {text}", f"{{graph: {{pip: {{packages: ['{text}']}}}}}}", *_PACKAGE)
        for text in (
            "--index-url=x",
            "-r x",
            "../x",
            "x @ https://h/x",
            "git+https://h/x",
            "https://h/x.whl",
            "",
            "a b",
            "a>=2 --pre",
            "a; x --pre",
            "a[b --pre]",
            "a==1 --hash=sha256:0a",
            "a; x == ${HOME}",
        )
    ),
    refused(
        "a package index with a password",
        "{graph: {pip: {packages: [x], indexUrl: 'https://u:p@h/simple'}}}",
        "spec.graph.pip.indexUrl",
        "user and password belong into a Secret",
    ),
    refused(
        "archive without its digest",
        "{graph: {source: {archive: {url: 'https://h/x', sha256: abc}}}}",
        "spec.graph.source.archive.sha256",
        "write the 64 hexadecimal digits",
    ),
]
