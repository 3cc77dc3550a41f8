"""Nothing is forgotten that the service may still have words for, and nothing is kept for ever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.transcript import Hypothesis
from parola.engines.amazon_progress import MUCH_VOICE_FRAMES, Progress

FIRST = 5_000_000
SETTLE_S, PATIENCE_S = 10.0, 20.0
PIECE = 1600


@dataclass(frozen=True, slots=True)
class Step:
    """A while of sending, then perhaps a sign of life or a result."""

    pieces: int
    voiced: bool
    pause_s: float
    then: str
    """ "silence", "alive", "partial" or "final"."""


steps = st.lists(
    st.builds(
        Step,
        pieces=st.integers(0, 60),
        voiced=st.booleans(),
        pause_s=st.floats(0, 15),
        then=st.sampled_from(["silence", "alive", "alive", "partial", "final"]),
    ),
    max_size=30,
)


class Model:
    """Remembers everything a service was sent and said."""

    def __init__(self) -> None:
        self.now = 100.0
        self.progress = Progress(FIRST, SETTLE_S, PATIENCE_S, self.now)
        self.frame = self.covered = FIRST
        self.sent_at: list[tuple[int, float, bool]] = []
        self.alive_at = self.now
        self.open_from: int | None = None
        self.count = 0

    def play(self, step: Step) -> None:
        for _ in range(step.pieces):
            self.sent_at.append((self.frame, self.now, step.voiced))
            self.frame += PIECE
            self.progress.sent(self.frame, self.now, voiced=step.voiced)
            self.now += 0.1
        self.now += step.pause_s
        if step.then == "silence":
            return
        self.alive_at = self.now
        self.progress.alive(self.now)
        if step.then in {"partial", "final"} and self.frame > self.covered:
            self.say(is_final=step.then == "final")

    def say(self, *, is_final: bool) -> None:
        first = self.covered if self.open_from is None else self.open_from
        end = (self.covered + self.frame) // 2
        guess = Hypothesis("words", first, end, is_final)
        self.progress.heard(str(self.count), guess, self.now)
        self.covered = max(self.covered, end)
        self.open_from = None if is_final else first
        self.count += is_final

    def unanswered(self) -> list[int]:
        return [frame for frame, _, voiced in self.sent_at if voiced and frame >= self.covered]


@given(steps)
def test_what_is_settled_was_answered_or_long_sent_and_hardly_spoken(played: list[Step]) -> None:
    """Never part of an open utterance, never younger than an answer needs, never much voice."""
    model = Model()
    settled = FIRST
    for step in played:
        model.play(step)
        now_settled = model.progress.settled()
        assert now_settled >= settled
        for frame, at, _ in model.sent_at:
            if settled <= frame < now_settled:
                assert at <= model.alive_at - SETTLE_S
        if now_settled > settled:
            assert model.open_from is None or now_settled <= max(model.open_from, settled)
            fresh = [frame for frame in model.unanswered() if settled <= frame]
            gone = sum(PIECE for frame in fresh if frame < now_settled)
            assert gone < MUCH_VOICE_FRAMES
        settled = now_settled


@given(steps)
def test_nothing_is_kept_for_ever(played: list[Step]) -> None:
    """After the patience a stream is stuck, or all it was sent is settled."""
    model = Model()
    for step in played:
        model.play(step)
        model.progress.settled()
    model.now += PATIENCE_S + SETTLE_S
    model.progress.alive(model.now)
    assert model.progress.is_stuck(model.now) or model.progress.settled() == model.frame
    model.progress.believe()
    assert not model.progress.is_stuck(model.now)
    assert not model.progress.owes
    assert model.progress.settled() == model.frame


def progress() -> Progress:
    return Progress(0, SETTLE_S, PATIENCE_S, 0.0)


def test_coughs_do_not_add_up() -> None:
    """A quiet room with a cough now and then is no reason for a new stream."""
    one = progress()
    now, frame = 0.0, 0
    for tenth in range(3000):
        frame += PIECE
        one.sent(frame, now, voiced=tenth % 300 < 5)
        one.alive(now)
        one.settled()
        assert not one.is_stuck(now)
        now += 0.1
    assert one.settled() >= frame - 11 * 16_000


def test_an_utterance_whose_final_never_comes_is_noticed() -> None:
    """Although the service answers pings and says other things."""
    one = progress()
    one.sent(160_000, 0.0, voiced=True)
    one.heard("a", Hypothesis("half a", 0, 160_000), 1.0)
    assert one.is_open
    one.alive(30.0)
    assert one.settled() == 0
    assert not one.is_stuck(20.9)
    assert one.is_stuck(21.0)


def test_an_empty_partial_withdraws_its_utterance() -> None:
    """Nothing waits for its final."""
    one = progress()
    one.heard("a", Hypothesis("oh", 0, 1600), 0.0)
    one.heard("a", Hypothesis("", 0, 1600), 0.1)
    assert not one.is_open
