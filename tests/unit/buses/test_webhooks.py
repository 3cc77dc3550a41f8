"""Webhooks are told in a way they can check, and reach nothing that a stranger should not."""

import base64
import hashlib
import hmac
import ipaddress
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from parola.buses.webhooks import Ip, Webhooks, read_secret, signature
from parola.domain.errors import BadMessage
from parola.domain.jobs import Job, Notice, Written
from parola.domain.vocabulary import language_tag
from parola.ports import Answer
from parola.transcribe_api.dev_ca import dev_certificate
from tests.hooks import hook

KEY = bytes(range(32))
HERE = [ipaddress.ip_network("127.0.0.0/8")]


def job(url: str) -> Job:
    """Return a job that is done, whose webhook has to be told."""
    asked = Job("j-1", "talk.mp4", language_tag("it-IT"), 0, notice=Notice(url))
    return asked.begun(1000).done(Written((), 12.5), 2000)


async def tell(url: str, **options: object) -> Answer:
    return await Webhooks(KEY, HERE, **options).tell(job(url))  # type: ignore[arg-type]


async def test_a_notice_is_signed() -> None:
    """The signature is that of Standard Webhooks, over id, time and the very body."""
    async with hook() as one:
        answer = await tell(f"http://127.0.0.1:{one.port}/parola?x=1")
        assert answer.is_taken
        (line, headers, body) = one.heard[0]
    assert line == "POST /parola?x=1 HTTP/1.1"
    signed = f"j-1.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    told = json.loads(body)
    assert (told["type"], told["data"]["id"], told["data"]["done_s"]) == ("job.done", "j-1", 12.5)
    assert "text" not in told["data"]


def test_the_signature_is_the_standard_s_own_example() -> None:
    """Source: Standard Webhooks, the example of its specification's libraries."""
    key = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "255.255.255.255",
    "224.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:db8::1",
]
"""Loopback, private, link-local (and clouds' metadata), shared, unspecified, broadcast, multicast,
benchmarks, documentation; the same in IPv6, and IPv4 in whatever carries it."""


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_address_is_never_told(address: str) -> None:
    """Written as it is, it is refused when it is asked for; behind a name, when it is told."""
    nobody = Webhooks(KEY)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BadMessage, match="private network"):
        nobody.check(f"https://{host}/")

    async def resolver(host: str, port: int) -> list[Ip]:
        # One good address does not make up for it.
        return [ipaddress.ip_address("93.184.215.14"), ipaddress.ip_address(address)]

    answer = await Webhooks(KEY, resolver=resolver).tell(job("https://hooks.example/"))
    assert answer == Answer(False, answer.detail, is_hopeless=True)
    assert "private network" in answer.detail


@pytest.mark.parametrize(
    "url",
    [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https:///path",
        "https://user:secret@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://example.com/\r\nhost: x",
        "http://8.8.8.8/",
        "http://example.com/",
        "https://[::1",
        "https://" + "x" * 2000,
        "",
    ],
)
def test_what_is_no_webhook_is_refused_at_once(url: str) -> None:
    """Other ways to write an address, other schemes, passwords, and what would break a header."""
    with pytest.raises(BadMessage):
        Webhooks(KEY).check(url)


def test_without_a_secret_nobody_is_told() -> None:
    """A notice that nobody can check is worse than none."""
    with pytest.raises(BadMessage, match="PAROLA_WEBHOOK_SECRET"):
        Webhooks(None).check("https://example.com/")
    for bad in ("", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_***"):
        with pytest.raises(ValueError, match=r"whsec|Incorrect|Only base64|base64"):
            read_secret(bad)


async def test_a_name_that_moves_gains_nothing() -> None:
    """The connection goes to the address that was checked, not to what the name says next."""
    async with hook() as checked, hook() as other:
        asked: list[str] = []

        async def resolver(host: str, port: int) -> list[Ip]:
            asked.append(host)
            return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "10.0.0.1")]

        answer = await tell(f"http://hooks.example:{checked.port}/", resolver=resolver)
        assert answer.is_taken
        assert asked == ["hooks.example"]
        assert checked.heard[0][1]["host"] == f"hooks.example:{checked.port}"
        assert other.heard == []


async def test_a_redirect_is_not_followed() -> None:
    """Where it leads was checked by nobody."""
    async with hook() as one, hook() as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.port}/"
        one.answer = f"HTTP/1.1 307 Temporary Redirect\r\nlocation: {place}\r\n\r\n".encode()
        answer = await tell(f"http://127.0.0.1:{one.port}/")
        assert (answer.is_taken, answer.is_hopeless) == (False, False)
        assert "redirects are not followed" in answer.detail
        assert elsewhere.heard == []


@pytest.mark.parametrize(
    ("said", "detail", "is_hopeless"),
    [
        (b"HTTP/1.1 500 No\r\n\r\n", "It answered 500.", False),
        (b"HTTP/1.1 410 Gone\r\n\r\n", "It answered 410.", True),
        (b"", "cannot be reached", False),
        (b"SSH-2.0-OpenSSH\r\n", "cannot be reached", False),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000, "cannot be reached", False),
    ],
    ids=["500", "410", "nothing", "another protocol", "an endless header"],
)
async def test_what_goes_wrong_is_a_sentence(said: bytes, detail: str, is_hopeless: bool) -> None:
    """Whatever a webhook answers is told, and nothing is raised."""
    async with hook() as one:
        one.answer = said
        answer = await tell(f"http://127.0.0.1:{one.port}/")
    assert (answer.is_taken, answer.is_hopeless) == (False, is_hopeless)
    assert detail in answer.detail


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example", ".example"])
async def test_a_name_that_no_host_can_have(host: str) -> None:
    """The system's resolver does not even try; that ends the notice and nothing else."""
    answer = await Webhooks(KEY).tell(job(f"https://{host}/"))
    assert not answer.is_taken
    assert "cannot be" in answer.detail


async def test_a_webhook_that_says_nothing_is_left() -> None:
    """It takes the connection and never answers: that costs the time it may take and no more."""
    async with hook() as one:
        one.answer = None
        answer = await tell(f"http://127.0.0.1:{one.port}/", within_s=0.2)
    assert answer == Answer(False, "It did not answer in 0.2 s.")


async def test_tls_is_checked_against_the_name(tmp_path: Path) -> None:
    """The certificate has to be the name's, though the connection goes to a checked address."""
    ca, made = dev_certificate(tmp_path, datetime.now(UTC))
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(made.chain, made.key)

    async def resolver(host: str, port: int) -> list[Ip]:
        return [ipaddress.ip_address("127.0.0.1")]

    def trust() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(ca))

    async with hook(ours) as one:
        good = await tell(f"https://localhost:{one.port}/", resolver=resolver, trust=trust)
        bad = await tell(f"https://hooks.example:{one.port}/", resolver=resolver, trust=trust)
    assert good.is_taken
    assert not bad.is_taken
    assert len(one.heard) == 1
