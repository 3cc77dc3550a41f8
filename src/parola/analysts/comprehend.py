"""Asks Amazon Comprehend how lines sound: twelve languages, billed by the line.

Written after AWS's documentation and tried against a stand-in only; never run against AWS itself.
Lines are sent to AWS; a setting has to ask for it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from parola.analysts.local import base
from parola.domain.errors import AnalystFailed

INSTALL = 'Amazon Comprehend needs botocore; install it with: pip install "parola[amazon]"'

LANGUAGES = frozenset(["ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "pt", "zh"])
"""Traditional Chinese is asked for as "zh-TW". Source: Amazon Comprehend, Supported languages."""

TEXTS = 25
"""In one call. Source: Amazon Comprehend, BatchDetectSentiment."""

MAX_BYTES = 5000
"""Of a text; the rest of a longer one is not looked at. Source: the same, DetectSentiment."""

CONNECT_S, READ_S = 3.0, 10.0


class ComprehendAnalyst:
    """One client in one thread; made by `open_comprehend`."""

    name = "comprehend"

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "parola-comprehend")
        self._client: Any = None

    def knows(self, language: str) -> bool:
        return base(language) in LANGUAGES

    async def scores(self, language: str, texts: Sequence[str]) -> list[float | None]:
        """One call. Cancelled, it may still be billed."""
        sent = {place: cut for place, text in enumerate(texts) if (cut := _cut(text))}
        found: list[float | None] = [None] * len(texts)
        if sent:
            loop = asyncio.get_running_loop()
            scores = await loop.run_in_executor(
                self._thread, self._ask, _code(language), list(sent.values())
            )
            for place, score in zip(sent, scores, strict=True):
                found[place] = score
        return found

    def close(self) -> None:
        """Let the thread end after what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ask(self, code: str, texts: Sequence[str]) -> list[float | None]:
        exceptions = import_module("botocore.exceptions")
        try:
            if self._client is None:
                self._client = _client()
            answer = self._client.batch_detect_sentiment(LanguageCode=code, TextList=list(texts))
            return scores_of(answer, len(texts))
        except exceptions.ClientError as error:
            word = error.response.get("Error", {}).get("Code", "unknown")
            raise AnalystFailed(
                f"Amazon Comprehend refused a call ({word}); see that the role may use "
                "comprehend:BatchDetectSentiment. It is tried again."
            ) from error
        except (exceptions.BotoCoreError, ValueError) as error:
            raise AnalystFailed(
                f"Amazon Comprehend cannot be reached ({type(error).__name__}); see region, "
                "credentials and network. It is tried again."
            ) from error


def scores_of(answer: dict[str, Any], count: int) -> list[float | None]:
    """Return the scores in an answer for so many texts; None for those it cannot judge.

    What is neutral or mixed is 0: the probabilities beside it say how sure AWS is, no more.
    """
    found: list[float | None] = [None] * count
    for result in answer["ResultList"]:
        likely = result["SentimentScore"]
        clear = result["Sentiment"] in {"POSITIVE", "NEGATIVE"}
        found[result["Index"]] = likely["Positive"] - likely["Negative"] if clear else 0.0
    return found


@asynccontextmanager
async def open_comprehend() -> AsyncIterator[ComprehendAnalyst]:
    """Open the analyst; nobody is asked before the first line.

    Raises:
        AnalystFailed: botocore is not installed.
    """
    if not find_spec("botocore"):
        raise AnalystFailed(INSTALL)
    analyst = ComprehendAnalyst()
    try:
        yield analyst
    finally:
        analyst.close()


def _code(language: str) -> str:
    traditional = language in {"zh-TW", "zh-HK"} or language.startswith("zh-Hant")
    return "zh-TW" if traditional else base(language)


def _cut(text: str) -> str:
    """Return what may be sent of a text; nothing of one that is blank, which AWS refuses."""
    # "replace": what is half a surrogate pair cannot be sent.
    return text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore").strip()


def _client() -> Any:  # noqa: ANN401 - botocore has no types
    config = import_module("botocore.config").Config(
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    return import_module("botocore.session").Session().create_client("comprehend", config=config)
