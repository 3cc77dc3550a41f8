"""Real processes and sockets under `kill -9`."""

from tests.chaos.processes import verdict


def test_a_server_killed_again_and_again_costs_no_word() -> None:
    """`parola listen` and its spool bring everything home: each word once, cut as if unbroken."""
    assert verdict(1) is None
