"""The key pair of an attempt, which its Dask processes share and nothing else has."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daskjob.manifests.context import AttemptContext

#: The certificate is valid from so long ago, because clocks differ and a process refuses a certificate of the future.
BACKDATED = timedelta(hours=1)
VALID = timedelta(days=365)


def key_pair(now: datetime) -> tuple[bytes, bytes]:
    """Certificate and private key in PEM: EC P-256, self-signed, valid from an hour before `now`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dask-internal")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("dask-internal")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def tls_secret(context: AttemptContext, cluster_uid: str, now: datetime) -> dict[str, Any]:
    """The Secret that scheduler, workers and runner mount. The operator may create Secrets, and read none."""
    certificate, key = (base64.b64encode(each).decode() for each in key_pair(now))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": context.metadata(context.names.tls, cluster_uid),
        "type": "kubernetes.io/tls",
        "immutable": True,
        "data": {"tls.crt": certificate, "tls.key": key, "ca.crt": certificate},
    }
