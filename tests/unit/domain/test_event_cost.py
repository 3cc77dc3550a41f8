"""What an event costs, by hand."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.event_cost import event_cost


def test_a_room_day() -> None:
    """500 minutes of an open stream are 12.00; closed in breaks, 7.68."""
    found = event_cost(1, Decimal(500) / 60)
    assert round(found.always_open, 2) == Decimal("12.00")
    assert round(found.in_talks, 2) == Decimal("7.68")
    assert round(found.saved, 2) == Decimal("4.32")


def test_three_days_of_the_event_stack() -> None:
    """One room for 72 hours: task, load balancer and three addresses 3.41, the pipeline 0.54."""
    found = event_cost(1, Decimal(72))
    assert round(found.stack, 2) == Decimal("3.95")
    assert round(found.pipeline, 2) == Decimal("0.54")
    assert round(found.sentiment, 2) == Decimal("0.14")


@given(st.integers(1, 50), st.integers(1, 1000), st.decimals(0, 1, places=2))
def test_more_never_costs_less(rooms: int, hours: int, talking: Decimal) -> None:
    """Another room costs more; talking less never does; the stack never depends on talking."""
    found = event_cost(rooms, Decimal(hours), talking)
    more = event_cost(rooms + 1, Decimal(hours), talking)
    assert more.always_open > found.always_open
    assert more.stack > found.stack > found.pipeline > found.sentiment > 0
    assert 0 <= found.saved <= found.always_open
    assert found.stack == event_cost(rooms, Decimal(hours)).stack
