"""What an hour of one room's captions costs in the pipeline on AWS, item by item.

An estimate from list prices: without free tiers, without what pages cost at CloudFront and S3.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

FINALS_H = 720
"""Finals in an hour in which somebody speaks: one in five seconds."""

ROW_KB = 3
"""What a final's row takes, rounded up to whole KB as writes are: twelve words, each with its
times, and how they sound."""

WINDOW_KB = 52
"""What a look at a conversation reads: two minutes of such rows."""

LOOKS_H = 3600
"""How often a node looks at the table while somebody looks at a conversation: each second."""

FUNCTION_GB = Decimal("0.25")
"""The functions' memory, in deploy/aws/event.yaml."""

FUNCTION_S = Decimal("0.05")
"""How long a call of a function takes. Assumed, with reserve; it was never measured on AWS."""

READER_CALLS = 2
"""Of the function on the table's stream, for each final: what it has written comes by once more."""

MILLION = Decimal(1_000_000)

Part = Literal["finals", "viewers", "sentiment"]


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """In US dollars; of what and when, see `parola.domain.event_cost`."""

    queue_call: Decimal = Decimal("0.40") / MILLION
    """Amazon SQS, a call to a standard queue."""
    function_call: Decimal = Decimal("0.20") / MILLION
    """AWS Lambda, a call."""
    function_gb_s: Decimal = Decimal("0.0000133334")
    """AWS Lambda on ARM, a second with one GB."""
    write: Decimal = Decimal("0.625") / MILLION
    """Amazon DynamoDB on demand, a write of up to 1 KB."""
    read: Decimal = Decimal("0.125") / MILLION
    """The same, a read of up to 8 KB that may be a second old: half a unit each 4 KB."""
    stream_read: Decimal = Decimal(0)
    """A read of a table's stream; those of a Lambda trigger are not charged. Source: Amazon
    DynamoDB, pricing for on-demand capacity."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill."""

    part: Part
    what: str
    count: Decimal
    """In an hour."""
    price: Decimal

    @property
    def amount(self) -> Decimal:
        """What it costs an hour, in US dollars."""
        return self.count * self.price


def pipeline_items(prices: UnitPrices | None = None) -> tuple[Item, ...]:
    """Return what an hour of one room's captions costs, while its conversation is looked at."""
    p = prices or UnitPrices()
    finals, read = Decimal(FINALS_H), READER_CALLS * Decimal(FINALS_H)
    gb_s = FUNCTION_GB * FUNCTION_S
    return (
        Item("finals", "queue: send, receive, delete", 3 * finals, p.queue_call),
        Item("finals", "finals_to_table: calls", finals, p.function_call),
        Item("finals", "finals_to_table: GB-seconds", finals * gb_s, p.function_gb_s),
        Item("finals", "table: writes", ROW_KB * finals, p.write),
        Item("sentiment", "table_to_mood: stream reads", read, p.stream_read),
        Item("sentiment", "table_to_mood: calls", read, p.function_call),
        Item("sentiment", "table_to_mood: GB-seconds", read * gb_s, p.function_gb_s),
        Item("sentiment", "table: writes beside finals", ROW_KB * finals, p.write),
        Item("viewers", "table: reads", LOOKS_H * Decimal(-(-WINDOW_KB // 8)), p.read),
    )


def caption_hour(*parts: Part, prices: UnitPrices | None = None) -> Decimal:
    """Return what an hour of one room's captions costs: these parts of it, or all."""
    items = pipeline_items(prices)
    return sum((i.amount for i in items if not parts or i.part in parts), Decimal(0))
