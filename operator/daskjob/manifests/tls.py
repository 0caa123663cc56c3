"""The key pair of an attempt, which its Dask processes share and nothing else has."""

from __future__ import annotations

from datetime import datetime, timedelta

#: The certificate is valid from so long ago, because clocks differ and a process refuses a certificate of the future.
BACKDATED = timedelta(hours=1)
VALID = timedelta(days=365)


def key_pair(now: datetime) -> tuple[bytes, bytes]:
    """Certificate and private key in PEM: EC P-256, self-signed, valid from an hour before `now`."""
    # Only here: `daskjob validate` builds pods, and comes without this package.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

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
