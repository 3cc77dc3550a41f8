"""Several people edit a transcript while it is being said, and everybody reads the same."""

import asyncio
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.domain.captions import to_json, to_srt, to_txt, to_vtt
from parola.domain.corrections import Edits
from parola.domain.errors import BadMessage, EditConflict, NotFound, TooLarge
from parola.domain.log import Correction, Edit, Entry
from parola.domain.transcript import Segment, Word
from parola.domain.vocabulary import room_name
from parola.live.editing import MAX_LINE, Editing, Target
from parola.live.feed import View
from parola.live.room import Room
from parola.live.rooms import Rooms
from tests.houses import house

ROOM = room_name("main")
SECOND = 16_000
VERSE = ["word", "for", "word", "the", "room", "can", "read", "along", "what", "it", "says"]

SPEAKERS = (None, "Ada & Bo", "<Ugo>")


def final(number: int, text: str = "") -> Segment:
    """Return a final of three words a second each."""
    first = number * 4 * SECOND
    texts = (text or " ".join(VERSE[number % 9 : number % 9 + 3])).split()
    words = tuple(
        Word(word, first + n * SECOND, first + (n + 1) * SECOND) for n, word in enumerate(texts)
    )
    end = words[-1].end_frame
    speaker = SPEAKERS[number % 3]
    return Segment("talk", number, " ".join(texts), first, end, True, "en-US", words, speaker)


@dataclass
class Screen:
    """What one viewer has, by the rules of docs/reference/protocol.md and nothing else."""

    rooms: Rooms
    extras: bool = True
    lines: dict[int, str] = field(default_factory=dict)
    """By number; a struck one is empty."""
    versions: dict[int, int] = field(default_factory=dict)
    last: int | None = None
    reading: "asyncio.Task[None] | None" = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def connect(self) -> None:
        """Read on from where it is."""
        self.reading = asyncio.ensure_future(self._read())

    async def leave(self) -> None:
        """Lose the connection."""
        assert self.reading
        self.reading.cancel()
        await asyncio.wait({self.reading})

    async def caught_up(self, number: int) -> None:
        """Wait until everything up to a number is there."""
        while (self.last or 0) < number:
            self.heard.clear()
            await self.heard.wait()

    async def _read(self) -> None:
        view = View(self.last, partials=True, extras=self.extras)
        async for text in self.rooms.watch(ROOM, view):
            frame = json.loads(text)
            if not self.extras:
                assert isinstance(frame["text"], str)
                assert isinstance(frame["is_partial"], bool)
            self.take(frame)

    def take(self, frame: dict[str, object]) -> None:
        """Take one frame."""
        assert not (frame.get("struck") and frame["text"]), "what is struck was sent"
        number = frame.get("seq")
        if not isinstance(number, int):
            return
        assert self.last is None or number > self.last, "a frame came twice or out of order"
        of = frame.get("of", number)
        assert isinstance(of, int)
        if frame["type"] == "segment" or of in self.lines:
            self.lines[of] = str(frame.get("text", ""))
            self.versions[of] = number
        self.last = number
        self.heard.set()


Step = tuple[str, int, int, str]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *("final", "final", "replay", "correct", "correct", "strike", "restore"),
                *("together", "break", "come back", "newcomer", "let"),
            )
        ),
        st.integers(0, 2),
        st.integers(0, 5),
        st.sampled_from(["Riga giusta", "a --> b & <c>", "due righe di testo " * 4, "là"]),
    ),
    max_size=25,
)


@dataclass
class Hall:
    """A room with three editors who see what their own screens show."""

    rooms: Rooms
    room: Room
    screens: list[Screen]
    finals: int = 0
    accepted: list[Edit] = field(default_factory=list)
    refused: int = 0

    async def step(self, step: Step) -> None:
        """Do one thing, whatever is going on."""
        what, who, which, text = step
        screen = self.screens[who]
        if what == "final":
            self.finals += 1
            await self.room.show(final(self.finals))
        elif what == "replay" and self.finals:
            await self.room.show(final(1 + which % self.finals, "quite other words now"))
        elif what == "break":
            await screen.leave()
        elif what == "come back" and screen.reading and screen.reading.done():
            screen.connect()
        elif what == "newcomer":
            await screen.leave()
            screen.lines, screen.versions, screen.last = {}, {}, None
            screen.connect()
        elif what == "together":
            await asyncio.gather(*(self.edit(s, "correct", which, text) for s in self.screens))
        elif what == "let":
            for _ in range(which):
                await asyncio.sleep(0)
        else:
            await self.edit(screen, what, which, text)

    async def edit(self, screen: Screen, what: str, which: int, text: str) -> None:
        """Edit a line as the screen shows it."""
        if not screen.lines:
            return
        of = sorted(screen.lines)[which % len(screen.lines)]
        target = Target(of, screen.versions[of], f"editor {self.screens.index(screen)}")
        editing = Editing(self.rooms)
        before = await editing.line(ROOM, of)
        try:
            if what == "correct":
                saving = await editing.correct(ROOM, target, text)
            elif what == "strike":
                saving = await editing.strike(ROOM, target)
            else:
                saving = await editing.restore(ROOM, target)
        except EditConflict:
            self.refused += 1
            assert (await editing.line(ROOM, of)).version != target.made_on
            return
        assert before.version <= target.made_on
        assert isinstance(saving.entry.body, Edit)
        self.accepted.append(saving.entry.body)


def subtitles(text: str, form: str) -> list[tuple[int, int, str]]:
    """Return a file's cues (start, end in milliseconds, text) as FFmpeg's own reader finds them."""
    with av.open(io.BytesIO(text.encode()), "r", format=form) as file:
        return [
            (
                round(float(packet.pts * packet.time_base) * 1000),
                round(float((packet.pts + (packet.duration or 0)) * packet.time_base) * 1000),
                bytes(packet).decode(),
            )
            for packet in file.demux()
            if packet.pts is not None and packet.time_base is not None
        ]


def plain(text: str) -> str:
    """Return a cue's text without its speaker, line breaks and escapes."""
    text = re.sub(r"^<v (Ada &amp; Bo|&lt;Ugo&gt;)>|^(Ada & Bo|<Ugo>):\s", "", text)
    for escape, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("→", "-->")):
        text = text.replace(escape, char)
    return " ".join(text.split())


def check_files(log: Sequence[Entry], read: Sequence[str]) -> None:
    """Check that every format holds the lines as they read now, in order, and nothing else."""
    wanted = " ".join(read)
    for form, write in (("srt", to_srt), ("webvtt", to_vtt)):
        cues = subtitles("".join(write("main", log)), form)
        assert " ".join(plain(text) for _, _, text in cues) == wanted
        times = [ms for start, end, _ in cues for ms in (start, end)]
        assert times == sorted(times)
        assert all(start < end for start, end, _ in cues)
    text = "".join(to_txt("main", log))
    assert [plain(part) for part in text.split("\n\n") if part and "UTC" not in part] == list(read)
    whole = json.loads("".join(to_json("main", log)))
    segments = [s for session in whole["sessions"] for s in session["segments"]]
    assert [segment["text"] for segment in segments] == list(read)
    for segment in segments:
        if segment["made_by"] == "corrected":
            assert segment["heard"]
            assert [word["text"] for word in segment["words"]] == segment["text"].split()


@settings(max_examples=60, deadline=None)
@given(steps)
def test_everybody_reads_the_same_and_no_edit_is_lost(day: list[Step]) -> None:
    """Finals, three editors, strikes, replays and reconnects in any order: all screens converge.

    Every edit that was accepted is in the log and stands on the one before it; every edit that was
    refused changed nothing; files hold what the screens show, by another program's reader.
    """

    async def run() -> None:
        async with house() as home, home.rooms.enter(ROOM) as room:
            hall = Hall(home.rooms, room, [Screen(home.rooms) for _ in range(3)])
            old = Screen(home.rooms, extras=False)
            for screen in [*hall.screens, old]:
                screen.connect()
            await asyncio.sleep(0)
            for step in day:
                await hall.step(step)
            for screen in hall.screens:
                await hall.step(("come back", hall.screens.index(screen), 0, ""))
            saving = await room.show(final(hall.finals + 1, "the end"))
            assert saving
            late, old_late = Screen(home.rooms), Screen(home.rooms, extras=False)
            late.connect()
            old_late.connect()
            for screen in [*hall.screens, late, old, old_late]:
                await screen.caught_up(saving.entry.number)
                await screen.leave()
            log = await home.log.read("main")
            edits = Edits(log)
            now = [entry.body for entry in edits.read_all(log) if isinstance(entry.body, Segment)]
            read = [segment.text for segment in now]
            for screen in [*hall.screens, late]:
                shown = [screen.lines[number] for number in sorted(screen.lines)]
                assert [text for text in shown if text] == read
            assert [old_late.lines[n] for n in sorted(old_late.lines)] == read
            assert len(old.lines) == hall.finals + 1
            kept = [entry for entry in log if isinstance(entry.body, Edit)]
            assert sorted(map(repr, hall.accepted)) == sorted(repr(e.body) for e in kept)
            versions: dict[int, int] = {}
            for entry in kept:
                assert isinstance(entry.body, Edit)
                assert entry.body.made_on == versions.get(entry.body.of, entry.body.of)
                versions[entry.body.of] = entry.number
                assert edits.standing(entry.body.of).version >= entry.number
            check_files(log, read)

    asyncio.run(run())


async def test_a_second_editor_is_told_and_nothing_is_overwritten() -> None:
    """Of two people who correct one version the first counts; the second gets a conflict."""
    async with house() as home, home.rooms.enter(ROOM) as room:
        await room.show(final(1))
        editing = Editing(home.rooms)
        saving = await editing.correct(ROOM, Target(1, 1, "Anna"), "  Buon \n giorno ")
        with pytest.raises(EditConflict):
            await editing.correct(ROOM, Target(1, 1, "Bruno"), "Buona sera")
        line = await editing.line(ROOM, 1)
        assert (line.text, line.by, line.version) == ("Buon giorno", "Anna", saving.entry.number)
        assert line.heard == final(1).text
        await editing.strike(ROOM, Target(1, line.version, "Bruno"))
        assert (await editing.line(ROOM, 1)).is_struck
        await editing.restore(ROOM, Target(1, 3))
        assert (await editing.line(ROOM, 1)).text == "Buon giorno"


async def test_what_cannot_be_edited_is_refused() -> None:
    """A line that is not there, no words, and more than a line takes: each with its own error."""
    async with house() as home, home.rooms.enter(ROOM) as room:
        await room.show(final(1))
        editing = Editing(home.rooms)
        with pytest.raises(NotFound, match="no line 2"):
            await editing.strike(ROOM, Target(2, 2))
        with pytest.raises(BadMessage, match="strike it"):
            await editing.correct(ROOM, Target(1, 1), " \x00 ")
        with pytest.raises(TooLarge, match="at most 2000"):
            await editing.correct(ROOM, Target(1, 1), "x" * (MAX_LINE + 1))
        assert len(await home.log.read("main")) == 1


async def test_edits_outlive_the_room() -> None:
    """A room that was left and entered again knows who edited what."""
    async with house() as home:
        async with home.rooms.enter(ROOM) as room:
            await room.show(final(1))
            await Editing(home.rooms).correct(ROOM, Target(1, 1), "Ciao")
        with pytest.raises(EditConflict):
            await Editing(home.rooms).strike(ROOM, Target(1, 1))
        await Editing(home.rooms).strike(ROOM, Target(1, 2))


async def test_an_edit_while_the_store_is_down_is_seen_and_kept_later() -> None:
    """The answer says that it is not saved yet; exports and newcomers have it already."""
    async with house() as home, home.rooms.enter(ROOM) as room:
        await room.show(final(1))
        home.log.gate = asyncio.Event()
        saving = await Editing(home.rooms).correct(ROOM, Target(1, 1), "Ciao")
        assert not saving.durable
        assert [e.body for e in await home.rooms.plugs.recorder.edits("main")] == [
            saving.entry.body
        ]
        home.log.gate.set()
        await saving.kept()
        assert await home.log.edits("main") == [saving.entry]


def test_words_that_stay_keep_their_times() -> None:
    """Put-in words share the sound of those they replace; the others do not move."""
    said = final(1, "good mourning every one")
    log = [Entry("main", 1, 1, said), Entry("main", 2, 2, Correction("talk", 1, 1, "x"))]
    wanted: dict[str, list[tuple[float, float]]] = {
        "good morning every one": [(4, 5), (5, 6), (6, 7), (7, 8)],
        "good morning everyone": [(4, 5), (5, 6.4), (6.4, 8)],
        "one": [(7, 8)],
        "well good mourning every one": [(4, 4), (4, 5), (5, 6), (6, 7), (7, 8)],
    }
    for text, spans in wanted.items():
        edit = replace(log[1], body=Correction("talk", 1, 1, text))
        (now,) = Edits([log[0], edit]).read_all([log[0], edit])
        assert isinstance(now.body, Segment)
        found = [(w.start_frame / SECOND, w.end_frame / SECOND) for w in now.body.words]
        assert found == [pytest.approx(span, abs=0.2) for span in spans], text
