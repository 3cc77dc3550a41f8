"""Credentials come from every place that AWS's own tools know, each played by a real server."""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parola.domain.errors import EngineFailed, NoEngine
from parola.engines.amazon_access import Access, Found
from parola.engines.amazon_settings import AmazonSettings

SETTINGS = AmazonSettings(region="eu-central-1")
START_URL = "https://example.awsapps.com/start"
SSO = f"""[default]
sso_start_url = {START_URL}
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = captions
"""
ROLE = "arn:aws:iam::123456789012:role/captions"


def in_an_hour() -> str:
    return f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"


def an_hour_ago() -> str:
    return f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"


def keys(expiry: str) -> dict[str, str]:
    """Return credentials as containers and machines have them."""
    return {
        "Code": "Success",
        "AccessKeyId": "AKIDROLE",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": expiry,
    }


Answer = Callable[[str, str, str], tuple[int, str] | None]
"""Takes method, path with query, and body; None is not found."""


@contextmanager
def standing_in(answer: Answer) -> Iterator[str]:
    """Serve on loopback, and give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size).decode()
            status, said = answer(self.command, self.path, body) or (404, "")
            self.send_response(status)
            self.send_header("content-length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        do_PUT = do_POST = do_GET  # noqa: N815 - http.server's own names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing of AWS is set up."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "CA_BUNDLE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


async def find() -> Found:
    return await Access(SETTINGS, time.monotonic).find()


async def found_from(source: str) -> None:
    """See that the role's credentials are found, and where."""
    found = await find()
    assert found.source == source
    assert found.credentials.get_frozen_credentials().access_key == "AKIDROLE"


async def test_a_container_has_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """ECS and EKS give an address in the environment."""
    answer = json.dumps(keys(in_an_hour()))
    with standing_in(lambda _, path, __: (200, answer) if path == "/role" else None) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        await found_from("container-role")


async def test_a_machine_has_its_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2's metadata, with a token first."""
    place = "/latest/meta-data/iam/security-credentials/"
    answers = {
        ("PUT", "/latest/api/token"): "a token",
        ("GET", place): "captions",
        ("GET", f"{place}captions"): json.dumps(keys(in_an_hour())),
    }

    def answer(method: str, path: str, _: str) -> tuple[int, str] | None:
        said = answers.get((method, path))
        return None if said is None else (200, said)

    with standing_in(answer) as url:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{url}/")
        await found_from("iam-role")


def web_identity(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> None:
    (folder / "token").write_text("a web token")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(folder / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


async def test_a_web_identity_becomes_a_role(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As in Kubernetes: STS takes the token of a file."""

    def answer(_: str, __: str, body: str) -> tuple[int, str] | None:
        if "Action=AssumeRoleWithWebIdentity" not in body or "a+web+token" not in body:
            return None
        xml = "https://sts.amazonaws.com/doc/2011-06-15/"
        said = (
            f'<AssumeRoleWithWebIdentityResponse xmlns="{xml}"><AssumeRoleWithWebIdentityResult>'
            "<Credentials><AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            f"<SessionToken>t</SessionToken><Expiration>{in_an_hour()}</Expiration></Credentials>"
            "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        )
        return 200, said

    with standing_in(answer) as url:
        web_identity(monkeypatch, folder, url)
        await found_from("assume-role-with-web-identity")


async def test_a_web_identity_that_has_run_out_is_told(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """With what to do, and without another try."""
    said = "<ErrorResponse><Error><Code>ExpiredTokenException</Code>"
    said += "<Message>Token expired</Message></Error></ErrorResponse>"
    with standing_in(lambda *_: (400, said)) as url:
        web_identity(monkeypatch, folder, url)
        with pytest.raises(NoEngine, match=r"Token expired.*aws sts get-caller-identity"):
            await find()


def signed_in(monkeypatch: pytest.MonkeyPatch, folder: Path, expiry: str) -> None:
    """Leave what `aws sso login` leaves."""
    (folder / "config").write_text(SSO)
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    # botocore looks up the home folder when it is imported.
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(cache))
    name = hashlib.sha1(START_URL.encode()).hexdigest()  # noqa: S324 - AWS's own file name
    token = {"startUrl": START_URL, "region": "eu-west-1", "accessToken": "t", "expiresAt": expiry}
    (cache / f"{name}.json").write_text(json.dumps(token))


PATIENCE_S = 10
"""It takes a fraction of a second, more on a full machine."""


async def test_a_person_who_signed_in_has_a_role(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """By `aws sso login`."""
    role = {"accessKeyId": "AKIDROLE", "secretAccessKey": "s", "sessionToken": "t"}
    answer = json.dumps({"roleCredentials": role | {"expiration": (time.time() + 3600) * 1000}})

    def of_role(_: str, path: str, __: str) -> tuple[int, str] | None:
        return (200, answer) if path.startswith("/federation/credentials?") else None

    signed_in(monkeypatch, folder, in_an_hour())
    with standing_in(of_role) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", url)
        await found_from("sso")


async def test_a_person_whose_sign_in_has_run_out_is_told(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """To sign in again, at once: nobody is asked."""
    signed_in(monkeypatch, folder, an_hour_ago())
    began = time.monotonic()
    with pytest.raises(NoEngine, match=r"expired.*aws sso login"):
        await find()
    assert time.monotonic() - began < PATIENCE_S


def helper(folder: Path, expiry: str) -> None:
    """Name a program that prints credentials."""
    said = {"Version": 1, "SessionToken": "t", **keys(expiry)}
    (folder / "said.json").write_text(json.dumps(said))
    program = "import sys, pathlib; print(pathlib.Path(sys.argv[1]).read_text())"
    (folder / "helper.py").write_text(program)
    command = f"{sys.executable} {folder / 'helper.py'} {folder / 'said.json'}"
    (folder / "config").write_text(f"[default]\ncredential_process = {command}\n")


async def test_a_program_gives_credentials(folder: Path) -> None:
    """The profile names it."""
    helper(folder, in_an_hour())
    await found_from("custom-process")


async def test_a_program_that_gives_old_credentials_is_told(folder: Path) -> None:
    """It is nobody's fault here, and says what to look at."""
    helper(folder, an_hour_ago())
    with pytest.raises(NoEngine, match="aws sts get-caller-identity"):
        await find()


async def test_a_program_that_fails_is_told(folder: Path) -> None:
    """With its name for people who keep it."""
    (folder / "config").write_text("[default]\ncredential_process = false\n")
    with pytest.raises(NoEngine, match="custom-process"):
        await find()


async def test_a_container_that_does_not_answer_may_do_so_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An outage there is no reason to give up the talk."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    with standing_in(lambda *_: (500, "")) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/role")
        with pytest.raises(EngineFailed, match="does not answer"):
            await find()


async def test_a_machine_without_anything_is_told_within_a_second() -> None:
    """With every way to give it credentials."""
    began = time.monotonic()
    with pytest.raises(NoEngine, match=r"AWS_PROFILE.*aws sso login.*IAM role"):
        await find()
    assert time.monotonic() - began < PATIENCE_S
