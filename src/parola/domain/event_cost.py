"""What an event costs on AWS, from list prices; an estimate, the invoice is Amazon's."""

from dataclasses import dataclass
from decimal import Decimal

PRICES_OF = "2026-11"
SOURCE = (
    "list prices of us-east-1 in US dollars, from secondary sources, not from AWS's price list; "
    "check them before you promise anything"
)


@dataclass(frozen=True, slots=True)
class Prices:
    """In US dollars."""

    transcribe_min: Decimal = Decimal("0.024")
    """Amazon Transcribe Streaming, a minute of an open stream, silent or not."""
    fargate_h: Decimal = Decimal("0.0099")
    """A quarter of an ARM processor and half a GB."""
    balancer_h: Decimal = Decimal("0.0225")
    address_h: Decimal = Decimal("0.005")
    """A public IPv4 address."""
    pipeline_caption_h: Decimal = Decimal("0.0005")
    """SQS, Lambda, DynamoDB, S3 and CloudFront, an hour of one room's captions."""
    small_month: Decimal = Decimal("7.36")
    """deploy/aws/small.yaml: t4g.nano, an address and 8 GB of disk."""


ADDRESSES = 3
"""Of deploy/aws/event.yaml: two of the load balancer, one of the task."""

TALKING = Decimal("0.64")
"""How much of a conference day somebody talks. Source: our synthetic day of 8.3 hours."""


@dataclass(frozen=True, slots=True)
class EventCost:
    """What an event costs, in US dollars."""

    always_open: Decimal
    """Recognition, with a stream open all the time."""
    in_talks: Decimal
    """Recognition, with streams closed in breaks."""
    stack: Decimal
    """deploy/aws/event.yaml while it is there, pipeline included."""

    @property
    def saved(self) -> Decimal:
        """What closing streams in breaks saves."""
        return self.always_open - self.in_talks


def event_cost(
    rooms: int, hours: Decimal, talking: Decimal = TALKING, prices: Prices | None = None
) -> EventCost:
    """Return what an event costs.

    Args:
        rooms: how many are recognised at the same time.
        hours: how long.
        talking: the part of the time in which somebody talks, 0 to 1.
        prices: what is charged; None: `Prices`.
    """
    prices = prices or Prices()
    always_open = rooms * hours * 60 * prices.transcribe_min
    hourly = prices.fargate_h + prices.balancer_h + ADDRESSES * prices.address_h
    stack = hours * hourly + rooms * hours * prices.pipeline_caption_h
    return EventCost(always_open, always_open * talking, stack)
