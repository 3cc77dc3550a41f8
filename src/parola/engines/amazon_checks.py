"""The doctor's look at Amazon Transcribe: what has to be there before a talk, and is not."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

from parola.domain.errors import ParolaError
from parola.engines.amazon_access import NO_CREDENTIALS, Found, look_up, of_machine, trust
from parola.engines.amazon_errors import RegionRefused
from parola.engines.amazon_settings import AmazonSettings
from parola.wire.transcribe import has_streaming

ANSWER_S = 5.0
"""How long the service may take to answer a check."""

SKEW_S = 60.0
"""From here on the clock is worth a warning. The service refuses signatures beyond 300 s."""

REFUSED_SKEW_S = 300.0


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    what: str
    verdict: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


def check_amazon(settings: AmazonSettings) -> Iterator[Check]:
    """Yield what was found of credentials, region, port and clock.

    Blocks, for some ten seconds where the network swallows everything. Nothing is billed: the
    service is greeted and asked for nothing.
    """
    try:
        found = look_up(settings)
        credentials = found.credentials or of_machine(settings)
    except RegionRefused as error:
        yield Check("amazon region", "fail", "no region that streams", error.message)
        return
    except ParolaError as error:
        yield Check("amazon credentials", "fail", "cannot be used", error.message)
        return
    if credentials is None:
        yield Check("amazon credentials", "fail", "none", NO_CREDENTIALS)
    else:
        yield Check("amazon credentials", "ok", f"from {credentials.method}")
    yield check_region(found.region)
    yield from check_service(found)


def check_region(region: str) -> Check:
    """See that the region streams; those that do not were refused by the look-up."""
    if has_streaming(region):
        return Check("amazon region", "ok", f"{region} streams")
    remedy = "Look it up in AWS's list of endpoints for Amazon Transcribe Streaming."
    return Check("amazon region", "warn", f"{region} is not known to stream", remedy)


def check_service(found: Found) -> Iterator[Check]:
    """Reach the service's port, and compare clocks by the date in its answer."""
    url = urlsplit(found.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    place = f"{url.hostname}:{port}"
    what = f"amazon port {port}"
    try:
        date = _date(url.hostname or "", port, trust(found))
    except ssl.SSLError as error:
        remedy = "Trust its certificate with AWS_CA_BUNDLE, or go round the proxy that opens TLS."
        yield Check(what, "fail", f"{place} cannot be trusted ({error.reason})", remedy)
    except (OSError, http.client.HTTPException) as error:
        remedy = (
            f"Let this machine connect to port {port} of {url.hostname}; many networks let only "
            "443 out. Check the region's name too."
        )
        yield Check(what, "fail", f"{place} cannot be reached ({error})", remedy)
    else:
        yield Check(what, "ok", f"{place} answers")
        yield check_skew(date, datetime.now(UTC))


def check_skew(date: str | None, now: datetime) -> Check:
    """Compare the clock with the service's, as it stands in a Date header."""
    what = "amazon clock"
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return Check(what, "warn", "the service did not say the time")
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    skew_s = (now - theirs).total_seconds()
    found = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} the service's"
    if abs(skew_s) < SKEW_S:
        return Check(what, "ok", found)
    remedy = "Set the clock, best with `timedatectl set-ntp on`: signatures carry the time."
    return Check(what, "fail" if abs(skew_s) >= REFUSED_SKEW_S else "warn", found, remedy)


def _date(host: str, port: int, trusted: ssl.SSLContext | None) -> str | None:
    """Return the Date header of an answer; which answer makes no difference."""
    connection: http.client.HTTPConnection
    if trusted:
        connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=trusted)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().headers.get("Date")
    except socket.gaierror as error:
        raise OSError(f"the name is not known: {error.strerror}") from error
    finally:
        connection.close()
