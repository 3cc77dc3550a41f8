"""Stands in for Amazon Comprehend on loopback: one operation, its limits, and answers by a word."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TARGET = "Comprehend_20171127.BatchDetectSentiment"
LANGUAGES = set("ar de en es fr hi it ja ko pt zh zh-TW".split())  # noqa: SIM905 - as it is documented


class Comprehend(ThreadingHTTPServer):
    """What it was asked, and how it is to answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.refusal = ""
        """An error's name; with it, every call is refused."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Comprehend

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        assert self.headers["x-amz-target"] == TARGET
        assert self.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=test/")
        fault = self.server.refusal or _fault(asked)
        if fault:
            self._answer(400, {"__type": fault, "message": "refused"})
            return
        texts = enumerate(asked["TextList"])
        results = [{"Index": n, **_judged(text)} for n, text in texts if text.strip()]
        known = {result["Index"] for result in results}
        errors = [
            {"Index": n, "ErrorCode": "InvalidRequestException", "ErrorMessage": "empty"}
            for n in range(len(asked["TextList"]))
            if n not in known
        ]
        self._answer(200, {"ResultList": results, "ErrorList": errors})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _fault(asked: dict[str, Any]) -> str:
    if asked["LanguageCode"] not in LANGUAGES:
        return "UnsupportedLanguageException"
    if not 1 <= len(asked["TextList"]) <= 25:
        return "BatchSizeLimitExceededException"
    if any(len(text.encode()) > 5000 for text in asked["TextList"]):
        return "TextSizeLimitExceededException"
    return ""


def _judged(text: str) -> dict[str, Any]:
    good = any(word in text for word in ("good", "buon"))
    bad = any(word in text for word in ("bad", "pessim"))
    names = {(True, False): "POSITIVE", (False, True): "NEGATIVE", (True, True): "MIXED"}
    name = names.get((good, bad), "NEUTRAL")
    likely = dict.fromkeys(("Positive", "Negative", "Neutral", "Mixed"), 0.05)
    likely[name.title()] = 0.85
    # As AWS does it: what is neutral leans somewhere, too.
    return {"Sentiment": name, "SentimentScore": {**likely, "Positive": likely["Positive"] + 0.06}}


@contextmanager
def comprehend() -> Iterator[Comprehend]:
    """Run it."""
    with Comprehend() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
