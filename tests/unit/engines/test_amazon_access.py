"""Credentials, region and address are found as AWS's own tools do, or missed with a remedy."""

import asyncio
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from parola.domain.errors import EngineFailed, NoEngine
from parola.engines import amazon_access
from parola.engines.amazon_access import Access
from parola.engines.amazon_settings import AmazonSettings
from parola.wire import sigv4
from parola.wire.transcribe import StreamParameters, from_query

KEYS = sigv4.Credentials("AKIDEXAMPLE", "secret+/key", "a token/with+signs=")
SSO = """[default]
sso_start_url = https://x
sso_region = eu-west-1
sso_account_id = 1
sso_role_name = r
"""
ASKED = StreamParameters(language_code="it-IT", vocabulary_names=("a", "b"), session_id=None)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing of AWS is set up."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "CA_BUNDLE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def use_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", str(KEYS.token))


async def test_the_address_is_signed_as_the_service_checks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our own verifier, which shares no line with botocore, accepts it, parameters and all."""
    use_keys(monkeypatch)
    url, trusted = await Access(AmazonSettings(region="eu-west-1"), time.monotonic).address(ASKED)
    scheme, host, path, query, _ = urlsplit(url)
    assert scheme == "wss"
    assert trusted
    assert host == "transcribestreaming.eu-west-1.amazonaws.com:8443"
    request = sigv4.SignedRequest("GET", path, query, (("host", host),))
    keys = {KEYS.access_key: KEYS}
    verified = sigv4.verify_query(request, keys, datetime.now(UTC), "eu-west-1")
    assert verified.scope.region == "eu-west-1"
    assert int(dict(parse_qsl(query))["X-Amz-Expires"]) <= 300
    assert from_query(parse_qsl(query)) == ASKED


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_the_region_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Both names that AWS's tools know, of which its Python library knows one."""
    use_keys(monkeypatch)
    monkeypatch.setenv(name, "eu-west-2")
    url, _ = await Access(AmazonSettings(), time.monotonic).address(ASKED)
    assert urlsplit(url).hostname == "transcribestreaming.eu-west-2.amazonaws.com"


@pytest.mark.parametrize(
    ("given", "signed", "used"),
    [
        ("https://host:1", "host:1", "wss"),
        ("http://host", "host", "ws"),
        ("ws://host:8443/", "host:8443", "ws"),
        ("wss://host/stream-transcription-websocket", "host", "wss"),
    ],
)
@pytest.mark.parametrize("way", ["setting", "environment"])
async def test_another_address_may_be_set(
    monkeypatch: pytest.MonkeyPatch, way: str, given: str, signed: str, used: str
) -> None:
    """In our settings, or in AWS's own variable."""
    use_keys(monkeypatch)
    settings = AmazonSettings(region="eu-central-1")
    if way == "setting":
        settings = AmazonSettings(region="eu-central-1", endpoint_url=given)
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING", given)
    url, trusted = await Access(settings, time.monotonic).address(ASKED)
    scheme, host, path, _, _ = urlsplit(url)
    assert (scheme, host, path) == (used, signed, "/stream-transcription-websocket")
    assert (trusted is not None) == (used == "wss")


async def test_a_profile_gives_keys_and_region(folder: Path) -> None:
    """As `aws configure` writes it."""
    (folder / "config").write_text("[profile talks]\nregion = eu-west-2\n")
    (folder / "credentials").write_text(
        "[talks]\naws_access_key_id = A\naws_secret_access_key = B\n"
    )
    found = await Access(AmazonSettings(profile="talks"), time.monotonic).find()
    assert found.region == "eu-west-2"
    assert found.source == "shared-credentials-file"


@pytest.mark.parametrize(
    ("settings", "config", "said"),
    [
        (AmazonSettings(region="eu-central-1"), "", "No AWS credentials were found"),
        (AmazonSettings(profile="nobody"), "", "aws configure list-profiles"),
        (AmazonSettings(), "", "No AWS region is set"),
        (AmazonSettings(region="eu-south-1"), "", "eu-central-1.*eu-west-1"),
        (AmazonSettings(region="eu-west-1", endpoint_url="nonsense"), "", "wss://host:port"),
        (
            AmazonSettings(region="eu-west-1"),
            SSO,
            "aws sso login",
        ),
        (AmazonSettings(region="eu-west-1"), "this is not a config", "get-caller-identity"),
    ],
)
async def test_what_is_missing_is_named_with_its_remedy(
    folder: Path, settings: AmazonSettings, config: str, said: str
) -> None:
    """And is no reason to try again."""
    (folder / "config").write_text(config)
    with pytest.raises(NoEngine, match=said):
        await Access(settings, time.monotonic).find()


async def test_certificates_that_cannot_be_read_are_told(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """With the variable that names them."""
    use_keys(monkeypatch)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(folder / "missing.pem"))
    with pytest.raises(NoEngine, match="AWS_CA_BUNDLE"):
        await Access(AmazonSettings(region="eu-west-1"), time.monotonic).find()


async def test_a_machine_whose_metadata_is_silent_has_no_credentials_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even where 25 rooms ask at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}/")
        access = Access(AmazonSettings(region="eu-central-1"), time.monotonic)
        began = time.monotonic()
        found = await asyncio.gather(*(access.find() for _ in range(25)), return_exceptions=True)
        took_s = time.monotonic() - began
    assert all(isinstance(one, NoEngine) for one in found)
    assert took_s < 10  # 1 s, and what a full machine adds; one after the other it would take 25


async def test_a_look_up_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging file system or helper program keeps nobody waiting for ever."""
    release = threading.Event()

    def hang(_: AmazonSettings) -> None:
        release.wait(10)

    monkeypatch.setattr(amazon_access, "look_up", hang)
    settings = AmazonSettings(region="eu-central-1", credentials_s=0.05)
    try:
        with pytest.raises(EngineFailed, match="get-caller-identity"):
            await Access(settings, time.monotonic).find()
    finally:
        release.set()


async def test_new_credentials_are_taken_after_the_old_ones_were_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody restarts the server for it."""
    use_keys(monkeypatch)
    access = Access(AmazonSettings(region="eu-central-1"), time.monotonic)
    await access.find()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDANOTHER")
    assert (await access.find()).credentials.access_key == "AKIDEXAMPLE"
    access.forget()
    assert (await access.find()).credentials.access_key == "AKIDANOTHER"


async def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(amazon_access, "import_module", missing)
    with pytest.raises(NoEngine, match="pip install"):
        await Access(AmazonSettings(region="eu-central-1"), time.monotonic).find()
