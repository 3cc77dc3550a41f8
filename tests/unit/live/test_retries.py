"""A session's budget for new streams hangs on the connection."""

from parola.live.retries import FIRST_TRIES, HEALTHY_FRAMES, PATIENT_TRIES, Retries


def waits(retries: Retries) -> list[float]:
    """Return the pauses until there are no more, without a stream that opens."""
    pauses = []
    while (wait_s := retries.next_wait_s()) is not None:
        pauses.append(wait_s)
    return pauses


def test_what_never_opened_is_given_up_within_eight_seconds() -> None:
    """Somebody has to act: a failure is told soon."""
    pauses = waits(Retries())
    assert len(pauses) == FIRST_TRIES
    assert sum(pauses) < 8


def test_what_once_opened_is_tried_as_long_as_the_backlog_holds() -> None:
    """A network that is gone for a minute ends no talk."""
    retries = Retries()
    retries.opened()
    pauses = waits(retries)
    assert len(pauses) == PATIENT_TRIES
    assert 90 < sum(pauses) < 120


def test_six_breaks_within_ten_seconds_end_nothing() -> None:
    """Streams that open and hear something may break as often as they like."""
    retries = Retries()
    for _ in range(1000):
        retries.opened()
        retries.ended(taken_frames=16_000, settled_frames=1)
        assert retries.next_wait_s() is not None


def test_a_service_that_throws_everybody_out_is_not_hammered() -> None:
    """The pauses grow although something is settled each time."""
    retries = Retries()
    pauses = []
    for _ in range(6):
        retries.opened()
        retries.ended(taken_frames=16_000, settled_frames=16_000)
        pauses.append(retries.next_wait_s())
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 4.0]


def test_a_stream_that_lived_makes_the_next_one_come_at_once() -> None:
    """Ten seconds of silence, settled as such, are health too."""
    retries = Retries()
    assert [retries.next_wait_s() for _ in range(3)] == [0.0, 0.5, 1.0]
    retries.opened()
    retries.ended(HEALTHY_FRAMES, settled_frames=1)
    assert retries.next_wait_s() == 0.0
