"""Opens a connection to Amazon Transcribe, or says why there is none."""

import ssl

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from parola.engines.amazon_errors import LinkLost, hopeless, of_refusal

MAX_FRAME_BYTES = 4 * 2**20
"""The longest frame taken; a result has a few kilobytes."""

CLOSE_S = 2.0
"""How long a closing handshake may take."""


async def dial(url: str, trusted: ssl.SSLContext | None, connect_s: float) -> ClientConnection:
    """Return an open connection.

    Raises:
        TranscribeError: the service refused it.
        NoEngine: its certificate is not trusted.
        LinkLost: it cannot be reached.
    """
    try:
        return await connect(
            url,
            ssl=trusted,
            open_timeout=connect_s,
            close_timeout=CLOSE_S,
            # A ping of the library's own would end streams of a service that answers none.
            ping_interval=None,
            compression=None,
            max_size=MAX_FRAME_BYTES,
            user_agent_header=None,
        )
    except InvalidStatus as error:
        raise of_refusal(error) from error
    except ssl.SSLCertVerificationError as error:
        raise hopeless(
            f"The certificate at {url.split('/', 3)[2]} is not trusted: {error.verify_message}. "
            "Name the authority's file in AWS_CA_BUNDLE, or go round the proxy that opens TLS."
        ) from error
    except (OSError, WebSocketException) as error:
        host = url.split("/", 3)[2]
        raise LinkLost(
            f"Amazon Transcribe cannot be reached at {host}: {_said(error)}. Check the network, "
            "the region, and that port 8443 is open outwards."
        ) from error


def _said(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
