"""Three nodes in network namespaces, killed, frozen and cut off while ten rooms talk."""

import sys

import pytest

from tests.broker import all_there_or_not
from tests.chaos.cluster import missing, report, taken_over_s, two_speakers, verdict


@pytest.fixture
def networks() -> None:
    """Nothing else can be shown without them."""
    all_there_or_not(missing())


def test_two_speakers_are_noticed() -> None:
    """The look at the journals sees a node that speaks on after the next one has begun."""
    one, two = [(1.0, "a", 1), (3.0, "a", 1)], [(2.0, "a", 2)]
    assert two_speakers({"one": one[:1], "two": two}) is None
    assert two_speakers({"one": one, "two": two})
    assert taken_over_s({"one": one[:1], "two": two}) == [1.0]


@pytest.mark.usefixtures("networks")
@pytest.mark.timeout(240)
def test_no_node_and_no_broker_that_fails_costs_a_word() -> None:
    """Byte for byte the logs of talks that nobody disturbed, and never two speakers."""
    wrong, gaps = verdict(1)
    sys.stdout.write(f"{report(gaps)}\n")
    assert wrong is None
