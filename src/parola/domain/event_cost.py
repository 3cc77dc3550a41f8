"""What an event costs on AWS, from list prices; an estimate, the invoice is Amazon's."""

from dataclasses import dataclass, field
from decimal import Decimal

from parola.domain.pipeline_cost import UnitPrices, caption_hour

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
    pipeline: UnitPrices = field(default_factory=UnitPrices)
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
    pipeline: Decimal
    """Of that: queue, functions and table, with somebody who speaks and somebody who looks."""
    sentiment: Decimal
    """Of that: reading how finals sound, and writing it beside them."""

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
    pipeline = rooms * hours * caption_hour(prices=prices.pipeline)
    sentiment = rooms * hours * caption_hour("sentiment", prices=prices.pipeline)
    stack = hours * hourly + pipeline
    return EventCost(always_open, always_open * talking, stack, pipeline, sentiment)
