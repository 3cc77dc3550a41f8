"""Tells webhooks that jobs are over, and lets nobody use the server to reach what it alone reaches.

A webhook's address comes from a stranger. So a name is resolved here, every address it has is
checked, and the connection goes to the very address that was checked: a name that points elsewhere
a moment later (DNS rebinding) gains nothing. Redirects are not followed, little of the answer is
read and none of it is shown to anybody.

Signed as Standard Webhooks 1.0 says (standard-webhooks on GitHub), for which libraries exist in
most languages.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import SplitResult, urlsplit

import h11

from parola.domain.errors import BadMessage
from parola.domain.jobs import Job
from parola.ports import Answer
from parola.wire.jobs import notice_body

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[list[Ip]]]

WITHIN_S = 10.0
"""How long a webhook may take, from its name to its answer."""

ANSWER_BYTES = 16 * 1024
"""What is read of an answer at most."""

MAX_URL = 2000

SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets are written, no secret
SECRET_BYTES = range(24, 65)
"""Source: Standard Webhooks 1.0, signature scheme."""

NEEDS_TLS = "A webhook on the internet needs https."

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 in IPv6. Source: RFC 6052, section 2.1."""


def read_secret(text: str) -> bytes:
    """Return the key that a secret such as "whsec_…" (base64 of 24 to 64 bytes) stands for.

    Raises:
        ValueError: it is none.
    """
    key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    if not text.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise ValueError("write it as whsec_ and 24 to 64 random bytes in base64")
    return key


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return a notice's signature. Source: Standard Webhooks 1.0, signature scheme."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


async def resolve(host: str, port: int) -> list[Ip]:
    """Return every address of a host.

    Raises:
        OSError: it has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(address[0]).split("%")[0]) for *_, address in found]


class Webhooks:
    """Tells programs on the internet, and in networks that the operator has named."""

    def __init__(
        self,
        key: bytes | None,
        allowed: Sequence[Network] = (),
        *,
        resolver: Resolve = resolve,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        within_s: float = WITHIN_S,
    ) -> None:
        """Sign with a key; without one nobody is told.

        Args:
            key: what both sides know.
            allowed: networks beside the public internet; to them without TLS, too.
            resolver: turns names into addresses.
            trust: makes what says whose certificates count.
            within_s: how long a webhook may take.
        """
        self._key = key
        self._allowed = allowed
        self._resolve = resolver
        self._trust = trust
        self._within_s = within_s

    def check(self, url: str) -> None:
        if self._key is None:
            raise BadMessage(
                "This server has no secret to sign with, so it calls no webhook; have it started"
                " with PAROLA_WEBHOOK_SECRET, or ask for the job's state instead."
            )
        parts = _split(url)
        if parts.scheme != "https" and not self._allowed:
            raise BadMessage(NEEDS_TLS)
        literal = _literal(parts.hostname or "")
        if literal and (why := self._why_not(literal, parts.scheme)):
            raise BadMessage(why)

    async def tell(self, job: Job) -> Answer:
        if self._key is None or job.notice is None:
            return Answer(is_taken=False, detail="There is no secret.", is_hopeless=True)
        try:
            async with asyncio.timeout(self._within_s):
                return await self._tell(self._key, job.id, job.notice.url, notice_body(job))
        except BadMessage as error:
            return Answer(is_taken=False, detail=error.message, is_hopeless=True)
        except TimeoutError:
            return Answer(is_taken=False, detail=f"It did not answer in {self._within_s:g} s.")
        except (OSError, h11.ProtocolError) as error:
            return Answer(is_taken=False, detail=f"It cannot be reached ({_reason(error)}).")
        except ValueError as error:  # a name that no host can have
            return Answer(False, f"Its address cannot be used ({error}).", is_hopeless=True)

    async def _tell(self, key: bytes, job_id: str, url: str, body: str) -> Answer:
        parts = _split(url)
        address = await self._address(parts)
        data, now_s = body.encode(), int(time.time())
        headers = [
            ("host", parts.netloc),
            ("user-agent", "Parola"),
            ("content-type", "application/json"),
            ("content-length", str(len(data))),
            ("connection", "close"),
            ("webhook-id", job_id),
            ("webhook-timestamp", str(now_s)),
            ("webhook-signature", signature(key, job_id, now_s, data)),
        ]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = h11.Request(method="POST", target=target, headers=headers)
        is_safe = parts.scheme == "https"
        reader, writer = await asyncio.open_connection(
            str(address),
            _port(parts),
            ssl=self._trust() if is_safe else None,
            server_hostname=parts.hostname if is_safe else None,
        )
        try:
            return _answer(await _exchanged(reader, writer, request, data))
        finally:
            writer.transport.abort()

    async def _address(self, parts: SplitResult) -> Ip:
        """Return an address to connect to; every one that the name has is allowed.

        Raises:
            BadMessage: one of them is not.
            OSError: it has none.
        """
        host = parts.hostname or ""
        literal = _literal(host)
        found = [literal] if literal else await self._resolve(host, _port(parts))
        for address in found:
            if why := self._why_not(address, parts.scheme):
                raise BadMessage(why)
        return found[0]

    def _why_not(self, address: Ip, scheme: str) -> str | None:
        """Return why an address may not be told, a sentence; None where it may."""
        inner = _inner(address)
        if any(inner in network for network in self._allowed):
            return None
        if not inner.is_global or inner.is_multicast:
            return (
                "A webhook cannot be in a private network; have the server started with"
                " --webhook-network if it is meant to be."
            )
        if scheme != "https":
            return NEEDS_TLS
        return None


def _split(url: str) -> SplitResult:
    """Return a webhook's address in its parts.

    Raises:
        BadMessage: it cannot be one.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > MAX_URL or not url.isascii() or not url.isprintable():
        raise BadMessage("A webhook is written like https://example.com/hooks/parola.")
    if parts.username is not None or parts.password is not None or " " in url:
        raise BadMessage("A webhook's address holds no password and no space.")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> Ip | None:
    """Return the address that a host is, in whichever way the system's resolver reads it."""
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        pass
    try:
        # "127.1" and "0x7f000001" are addresses, too.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except OSError:
        return None


def _inner(address: Ip) -> Ip:
    """Return where an address leads, through whatever carries IPv4 in IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


async def _exchanged(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> int:
    """Send a request, and return the status of its answer.

    Raises:
        h11.ProtocolError, OSError: no answer can be read.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_BYTES)
    writer.write(connection.send(request) or b"")
    writer.write(connection.send(h11.Data(data=body)) or b"")
    connection.send(h11.EndOfMessage())
    await writer.drain()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(4096))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif not isinstance(event, h11.InformationalResponse):
            raise ConnectionError("the connection ended")


def _answer(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(is_taken=True)
    if 300 <= status < 400:
        return Answer(is_taken=False, detail=f"It answered {status}; redirects are not followed.")
    # Source: Standard Webhooks 1.0: 410 Gone means that nobody wants to hear any more.
    return Answer(is_taken=False, detail=f"It answered {status}.", is_hopeless=status == 410)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
