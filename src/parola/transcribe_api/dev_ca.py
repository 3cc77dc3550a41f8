"""Makes a certificate authority for development, good for this machine's own names only."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parola.transcribe_api.serving import Certificate

NAMES = ("localhost", "127.0.0.1", "::1")

GOOD_FOR = timedelta(days=397)
"""The longest that today's clients accept. Source: CA/Browser Forum baseline requirements."""

RENEW_BEFORE = timedelta(days=7)


def dev_certificate(folder: Path, now: datetime) -> tuple[Path, Certificate]:
    """Return the authority's file, for clients, and a certificate for localhost signed by it.

    Files of an earlier run are used again while they are good. The authority's key is thrown
    away: it will never sign anything else.

    Args:
        folder: where `ca.pem`, `server.pem` and `server.key` are, or will be made.
        now: the time, with a time zone.

    Raises:
        OSError: the folder cannot be written.
    """
    ca, chain, key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    if not _good(ca, chain, key, now):
        folder.mkdir(parents=True, exist_ok=True)
        _make(ca, chain, key, now)
    return ca, Certificate(chain, key)


def _good(ca: Path, chain: Path, key: Path, now: datetime) -> bool:
    """Return whether all three are there and stay good for a while."""
    if not (ca.is_file() and chain.is_file() and key.is_file()):
        return False
    try:
        served = x509.load_pem_x509_certificate(chain.read_bytes())
    except ValueError:
        return False
    return served.not_valid_after_utc - RENEW_BEFORE > now


def _make(ca: Path, chain: Path, key: Path, now: datetime) -> None:
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _name("Parola development CA")
    authority = (
        _certificate(issuer, issuer, ca_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_identifier(ca_key), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    served = (
        _certificate(_name("localhost"), issuer, server_key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(NAMES)), critical=False)
        .add_extension(_identifier(server_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    chain.write_bytes(served.public_bytes(serialization.Encoding.PEM))
    ca.write_bytes(authority.public_bytes(serialization.Encoding.PEM))


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    at = now.astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + GOOD_FOR - timedelta(days=1))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _identifier(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found
