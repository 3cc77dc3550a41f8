"""Nothing lost, nothing twice: seeded schedules of everything that can go wrong."""

import pytest

from tests.chaos.verdict import undisturbed, verdict


def test_the_undisturbed_talk_is_whole() -> None:
    """What all other runs are compared with: begun, said in order, ended."""
    lines = undisturbed().splitlines()
    assert len(lines) == 24
    assert "session_started" in lines[0]
    assert "session_ended" in lines[-1]


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_no_schedule_of_faults_changes_the_log_or_what_viewers_see(first: int) -> None:
    """Kills, resets, black holes, engines and disks gone mad: the same log, each line once."""
    wrong = {seed: verdict(seed) for seed in range(first, first + 20)}
    assert {seed: reason for seed, reason in wrong.items() if reason} == {}
