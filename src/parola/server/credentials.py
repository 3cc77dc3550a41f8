"""Finds the tokens in a request: query, Authorization, cookies. Knows nothing of what they give."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

COOKIE = "parola-"
"""Followed by the token's id: who was given rooms one by one has one cookie for each."""

MAX_COOKIES = 8
"""Cookies looked at; a browser with more has to sign in again."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody showed."""

    explicit: tuple[str, ...]
    """From query and Authorization: no page of another site can make a browser send them."""

    cookies: tuple[str, ...]
    """Sent by browsers by themselves, whoever made them ask."""


def shown(scope: Mapping[str, Any]) -> Shown:
    """Return every token of a request, unchecked."""
    headers = headers_of(scope)
    carried = [from_query(scope), _from_authorization(headers.get("authorization", ""))]
    return Shown(tuple(text for text in carried if text), _from_cookies(headers.get("cookie", "")))


def from_query(scope: Mapping[str, Any]) -> str:
    """Return the token in the query, or nothing."""
    try:
        query: bytes = scope["query_string"]
        fields = parse_qs(query.decode("ascii", "replace"), max_num_fields=100)
    except ValueError:
        return ""
    return fields.get("token", [""])[-1]


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers by name in small letters; of several, the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def is_same_origin(scope: Mapping[str, Any]) -> bool | None:
    """Return whether a page of this very server asks; None if no browser says.

    Schemes are not compared: behind a proxy that speaks TLS they differ.
    """
    headers = headers_of(scope)
    origin = headers.get("origin")
    if origin is not None:
        return (
            bool(urlsplit_netloc(origin))
            and urlsplit_netloc(origin) == headers.get("host", "").lower()
        )
    site = headers.get("sec-fetch-site")
    return None if site is None else site in {"same-origin", "none"}


def urlsplit_netloc(origin: str) -> str:
    """Return host and port of an origin in small letters; nothing for "null" and the like."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _from_authorization(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[2]


def _from_cookies(header: str) -> tuple[str, ...]:
    try:
        cookies = SimpleCookie(header)
    except CookieError:
        return ()
    found = [morsel.value for name, morsel in cookies.items() if name.startswith(COOKIE)]
    return tuple(found[:MAX_COOKIES])
