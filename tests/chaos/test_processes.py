"""Real processes and sockets: everything killed, cut, held up, said twice, filled."""

from pathlib import Path

import pytest

from tests.chaos import processes, speech

SEEDS = (0, 50, 381)
"""Between them all that can go wrong."""


@pytest.mark.timeout(400)
def test_whatever_dies_or_breaks_no_word_is_lost_or_comes_twice() -> None:
    """Client, proxy, server and disk under faults: the log is the undisturbed talk's, bytewise."""
    kinds = {fault.kind for seed in SEEDS for fault in processes.schedule(seed)}
    assert kinds == set(processes.KINDS)
    assert processes.verdicts(SEEDS) == {}


@pytest.mark.audio
@pytest.mark.timeout(400)
def test_real_speech_survives_the_death_of_server_and_recogniser(recordings: Path) -> None:
    """No sentence is missing beside those that a kill cut, and none is there twice."""
    assert speech.verdicts(recordings, [16], speech.SHORT) == {}
