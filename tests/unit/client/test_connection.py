"""Addresses as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.client.connection import socket_url
from parola.domain.errors import BadMessage


@pytest.mark.parametrize(
    ("server_url", "wanted"),
    [
        ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000/p"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/p"),
        ("https://host/parola", "wss://host/parola/p"),
        ("wss://me:token@host", "wss://me:token@host/p"),
        ("localhost:8000", "ws://localhost:8000/p"),
        ("ws://[::1]:8000", "ws://[::1]:8000/p"),
    ],
)
def test_addresses_are_read_as_people_write_them(server_url: str, wanted: str) -> None:
    """Page addresses and socket addresses mean the same server."""
    assert socket_url(server_url, "/p") == wanted


addresses = st.builds(
    "{}://{}:{}".format,
    st.sampled_from(["ws", "https", "ftp"]),
    st.sampled_from(["host", "[::1]", "[", ""]) | st.text(),
    st.integers().map(str) | st.text(),
)


@given(addresses | st.text())
def test_any_address_is_read_or_refused(text: str) -> None:
    """Whatever is written as an address gives a socket's address or BadMessage."""
    try:
        url = socket_url(text, "/p")
    except BadMessage:
        return
    assert url.startswith(("ws://", "wss://"))
    assert url.endswith("/p")
