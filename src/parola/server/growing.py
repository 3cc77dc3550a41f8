"""A file that may grow while it is sent, such as the sound of a talk that goes on."""

from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send


class GrowingFile(FileResponse):
    """Sends what was there when it was announced: more would break the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as a `FileResponse` does, and leave out what has come since."""
        left = 0

        async def send_what_was_there(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                left = int(Headers(raw=message["headers"]).get("content-length", "0"))
            elif message["type"] == "http.response.body":
                body = message.get("body", b"")[:left]
                left -= len(body)
                message = {**message, "body": body}
            await send(message)

        await super().__call__(scope, receive, send_what_was_there)
