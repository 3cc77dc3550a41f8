"""What an hour of captions costs in the pipeline, by hand, and by what the pipeline really does."""

from decimal import Decimal

from parola.domain.pipeline_cost import (
    FINALS_H,
    LOOKS_H,
    ROW_KB,
    WINDOW_KB,
    caption_hour,
    pipeline_items,
)
from parola.domain.transcript import Segment, Word
from parola.live.windows import LOOK_S, WINDOW_MS
from parola.stores.bodies import encode
from parola.wire.table_rows import message, row


def test_the_function_that_reads_how_finals_sound() -> None:
    """720 finals: 1,440 calls, 18 GB-seconds, 2,160 units of writes; stream reads are free."""
    items = [item for item in pipeline_items() if item.part == "sentiment"]
    assert [(item.count, round(item.amount, 5)) for item in items] == [
        (1440, Decimal("0.00000")),
        (1440, Decimal("0.00029")),
        (Decimal(18), Decimal("0.00024")),
        (2160, Decimal("0.00135")),
    ]
    assert round(caption_hour("sentiment"), 5) == Decimal("0.00188")


def test_the_parts_are_the_whole() -> None:
    """Nothing is left out, nothing counted twice."""
    parts = [caption_hour(part) for part in ("finals", "sentiment", "viewers")]
    assert sum(parts) == caption_hour()
    assert round(caption_hour(), 4) == Decimal("0.0075")


def test_a_row_takes_what_the_bill_says() -> None:
    """A final of twelve words, written and read; and so often a node looks at so many of them."""
    words = tuple(Word("captions", at * 6000, at * 6000 + 5000, 0.93, True) for at in range(12))
    text = " ".join(word.text for word in words)
    session = "7f0c5a52-6a1e-4c34-9f0e-0d5f3b0c9a11"
    segment = Segment(session, 12, text, 0, 72_000, True, "it-IT", words, "Ada")
    body = encode(segment)
    mood = {"sentiment": "neutral", "sentimentScore": "0", "intent": "other", "readBy": "local"}
    made = {**row(message("sala", 12, 1_764_000_000_000, "segment", body)), **mood}
    size = sum(len(name) + len(str(value)) for name, value in made.items())
    assert ROW_KB - 1 < size / 1024 <= ROW_KB
    assert size / 1024 * FINALS_H * WINDOW_MS / 3_600_000 <= WINDOW_KB
    assert LOOKS_H == 3600 / LOOK_S
