import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from parola.transcribe_api.dev_ca import GOOD_FOR, NAMES, dev_certificate

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_the_certificate_is_for_this_machine_and_signed_by_the_authority(tmp_path: Path) -> None:
    """Clients take ca.pem; the certificate names localhost and its addresses; the key is ours."""
    ca, certificate = dev_certificate(tmp_path / "new" / "folder", NOW)
    authority = x509.load_pem_x509_certificate(ca.read_bytes())
    served = x509.load_pem_x509_certificate(certificate.chain.read_bytes())
    served.verify_directly_issued_by(authority)
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == list(NAMES)
    assert stat.S_IMODE(certificate.key.stat().st_mode) == 0o600
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        certificate.chain, certificate.key
    )
    # The authority's own key is nowhere.
    assert {path.name for path in ca.parent.iterdir()} == {"ca.pem", "server.pem", "server.key"}


def test_files_that_are_good_are_used_again(tmp_path: Path) -> None:
    """Clients that trust ca.pem go on to do so, until it is about to end or a file is missing."""
    ca, certificate = dev_certificate(tmp_path, NOW)
    first = ca.read_bytes()
    assert dev_certificate(tmp_path, NOW + GOOD_FOR / 2) == (ca, certificate)
    assert ca.read_bytes() == first
    dev_certificate(tmp_path, NOW + GOOD_FOR - timedelta(days=2))
    second = ca.read_bytes()
    assert second != first
    certificate.key.unlink()
    dev_certificate(tmp_path, NOW + GOOD_FOR)
    assert ca.read_bytes() != second
    certificate.chain.write_text("no certificate")
    dev_certificate(tmp_path, NOW + GOOD_FOR)
    assert certificate.chain.read_bytes().startswith(b"-----BEGIN CERTIFICATE")
