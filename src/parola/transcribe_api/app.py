"""The endpoint as an ASGI application: two addresses, one for each transport."""

from starlette.types import ASGIApp, Receive, Scope, Send

from parola.transcribe_api.calls import answer
from parola.transcribe_api.door import Call, Door, Transport
from parola.transcribe_api.http2 import Http2Caller
from parola.transcribe_api.websocket import WebSocketCaller
from parola.wire.sigv4 import SignedRequest

HTTP2_PATH = "/stream-transcription"
WEBSOCKET_PATH = "/stream-transcription-websocket"


def create_app(door: Door) -> ASGIApp:
    """Return the application; it can be mounted beside another one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] == "websocket" and path == WEBSOCKET_PATH:
            await answer(door, _call("websocket", scope), WebSocketCaller(receive, send))
        elif scope["type"] == "http" and path == HTTP2_PATH and scope["method"] == "POST":
            await answer(door, _call("http2", scope), Http2Caller(receive, send))
        elif scope["type"] == "http":
            await _unknown(send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    return app


def _call(transport: Transport, scope: Scope) -> Call:
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )
    request = SignedRequest(
        method=scope.get("method", "GET"),
        path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
    )
    client = scope.get("client") or ("", 0)
    return Call(transport, request, int(client[1]))


async def _unknown(send: Send) -> None:
    """Answer as AWS does where there is nothing."""
    headers = [
        (b"content-type", b"application/json"),
        (b"x-amzn-errortype", b"UnknownOperationException"),
    ]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
