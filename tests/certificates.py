"""Certificates for servers on the loopback interface."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate_for(directory: Path, *names: str) -> tuple[Path, Path, Path]:
    """An authority, a certificate of it for the host ``names``, and the certificate's key.

    Unlike ``certificate``, as a company makes them: clients refuse an authority as a server's certificate.
    """
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    subjects = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", names[0])
    ]
    paths = []
    for number, (key, subject) in enumerate(zip(keys, subjects, strict=True)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subjects[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        )
        if number:
            hosts = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(hosts, critical=False)
        paths.append(directory / ("authority.crt" if number == 0 else "inside.crt"))
        made = builder.sign(keys[0], hashes.SHA256())
        paths[-1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = directory / "inside.key"
    private.write_bytes(_pem(keys[1]))
    return paths[0], paths[1], private


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = directory / "site.crt", directory / "site.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(_pem(key))
    return public, private
