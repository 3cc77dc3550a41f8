"""Promises of the store of uploads, kept with real files, real forms and a real full disk."""

import asyncio
import io
import itertools
import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parola.audio.decode import Decoder, decode
from parola.domain.errors import (
    BadAudio,
    BadMessage,
    DiskFull,
    NotFound,
    ParolaError,
    StoreFailed,
    TooLarge,
)
from parola.server.form import FileForm, OnlyAudio
from parola.server.uploads import (
    MAX_NAME,
    Uploads,
    disk_error,
    receive_multipart,
    safe_name,
    write_all,
)
from tests.audio_files import audio_file, garbage, tone, video_without_audio, wav

SPEECH = wav(tone(0.3))
FORM = "multipart/form-data; boundary=XyZ"


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", max_bytes=1_000_000, keep_s=3_600)


async def keep(uploads: Uploads, name: str, data: bytes, step: int = 4_096) -> None:
    async with uploads.receive(name) as receiver:
        for at in range(0, len(data), step):
            await receiver.write(data[at : at + step])


def kept(uploads: Uploads) -> list[str]:
    """Every file in the store, hidden ones included."""
    return sorted(path.name for path in uploads._folder.iterdir())


def part(
    data: bytes,
    name: str = "test.wav",
    content_type: str | None = "audio/wav",
    field: str = "file",
) -> bytes:
    head = f'--XyZ\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    if content_type is not None:
        head += f"Content-Type: {content_type}\r\n"
    return head.encode() + b"\r\n" + data + b"\r\n"


async def pieces(body: bytes, step: int = 1_000) -> AsyncIterator[bytes]:
    for at in range(0, len(body), step):
        yield body[at : at + step]


# Names


def test_the_articles_file_keeps_its_name() -> None:
    """`test.wav` stays `test.wav`."""
    assert safe_name("test.wav") == "test.wav"


@pytest.mark.parametrize(
    "name", ["Sala Grande – Keynote.m4a", "città.mp3", "a" * 96 + ".wav", "会議.ogg", "talk"]
)
def test_ordinary_names_in_any_language_are_taken(name: str) -> None:
    """People name their files in their own language."""
    assert safe_name(name) == name


def test_one_name_has_one_form() -> None:
    """A name typed on a Mac (decomposed) finds the file of the composed one."""
    assert safe_name("citta\N{COMBINING GRAVE ACCENT}.wav ") == "città.wav"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        ".",
        "..",
        ".hidden.wav",
        ".incoming-0123",
        "../x.wav",
        "..\\x.wav",
        "/etc/passwd",
        "a/b.wav",
        "C:\\x.wav",
        "x\0.wav",
        "x\n.wav",
        "\N{RIGHT-TO-LEFT OVERRIDE}vaw.exe",
        "\udcff.wav",
        "a" * 300 + ".wav",
        "\N{MICROPHONE}" * 70,
    ],
)
def test_names_that_no_file_can_have_are_refused_in_a_sentence(name: str) -> None:
    """A path, a NUL, a hidden name or 300 characters give a clear error, not a changed name."""
    with pytest.raises(BadMessage, match="file name"):
        safe_name(name)


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=MAX_NAME + 20), st.text("./\\a", max_size=4)))
def test_any_text_is_a_plain_name_or_refused(text: str) -> None:
    """What is taken stays inside the folder, can be seen, and is taken the same way again."""
    try:
        name = safe_name(text)
    except BadMessage:
        return
    assert Path("/folder").joinpath(name).name == name
    assert os.path.normpath(f"/folder/{name}") == f"/folder/{name}"
    assert not name.startswith(".")
    assert len(name) <= MAX_NAME
    assert len(os.fsencode(name)) <= 255
    assert safe_name(name) == name


# Keeping


async def test_an_upload_is_kept_byte_for_byte(uploads: Uploads) -> None:
    """What went in can be read back by its name, and nothing else is left in the folder."""
    await keep(uploads, "test.wav", SPEECH, step=999)
    assert uploads.open("test.wav").read_bytes() == SPEECH
    assert kept(uploads) == ["test.wav"]


async def test_a_new_store_finds_the_files_of_the_last(uploads: Uploads, tmp_path: Path) -> None:
    """A restart keeps uploads, and clears away what a killed server left half done."""
    await keep(uploads, "test.wav", SPEECH)
    (tmp_path / "uploads" / ".incoming-00ff").write_bytes(b"half")
    again = Uploads(tmp_path / "uploads", max_bytes=1_000, keep_s=1)
    assert kept(again) == ["test.wav"]
    assert again.open("test.wav").read_bytes() == SPEECH


@pytest.mark.parametrize("name", ["other.wav", "test", "uploads"])
async def test_an_unknown_name_is_not_found(uploads: Uploads, name: str) -> None:
    """A name that nobody uploaded is told so."""
    await keep(uploads, "test.wav", SPEECH)
    with pytest.raises(NotFound, match="upload it first"):
        uploads.open(name)


@pytest.mark.parametrize("name", ["../secret.wav", "..", "/etc/passwd", "x\0", ".incoming-1"])
async def test_nothing_outside_the_folder_can_be_opened(
    uploads: Uploads, tmp_path: Path, name: str
) -> None:
    """A name with a path in it is refused, though the file is there."""
    (tmp_path / "secret.wav").write_bytes(SPEECH)
    (tmp_path / "uploads" / ".incoming-1").write_bytes(SPEECH)
    with pytest.raises(BadMessage):
        uploads.open(name)


BAD = {
    "nothing": b"",
    "garbage": garbage(50_000),
    "a picture without sound": video_without_audio(),
    "a playlist": b"ffconcat version 1.0\nfile test.wav\n",
}


@pytest.mark.parametrize("what", BAD)
async def test_what_holds_no_sound_is_not_kept(uploads: Uploads, what: str) -> None:
    """It is refused at the end of the upload; the older file of the name stays."""
    await keep(uploads, "test.wav", SPEECH)
    with pytest.raises(BadAudio):
        await keep(uploads, "test.wav", BAD[what])
    assert kept(uploads) == ["test.wav"]
    assert uploads.open("test.wav").read_bytes() == SPEECH


async def test_too_large_a_file_is_refused_at_the_limit(uploads: Uploads) -> None:
    """The piece that passes the limit ends the upload; the sentence names the limit."""
    taken = []

    async def endless() -> None:
        async with uploads.receive("big.wav") as receiver:
            while True:
                await receiver.write(bytes(100_000))
                taken.append(receiver.received)

    with pytest.raises(TooLarge, match="1 MB"):
        await endless()
    assert taken[-1] == 1_000_000
    assert kept(uploads) == []


async def test_an_upload_that_breaks_off_leaves_nothing(uploads: Uploads) -> None:
    """A client that goes away, for whatever reason, leaves no half file."""

    async def broken() -> None:
        async with uploads.receive("test.wav") as receiver:
            await receiver.write(SPEECH)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await broken()
    assert kept(uploads) == []


async def test_a_cancelled_upload_leaves_nothing(uploads: Uploads) -> None:
    """Cancelled while it writes, again and again, the upload is gone when the task has ended."""
    started = asyncio.Event()

    async def endless() -> None:
        async with uploads.receive("test.wav") as receiver:
            while True:
                await receiver.write(bytes(10))
                receiver.received = 0
                started.set()

    task = asyncio.ensure_future(endless())
    await started.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept(uploads) == []


async def test_the_last_upload_of_a_name_wins_whole(uploads: Uploads) -> None:
    """Two uploads of one name at once give one of the two files, never a mixture."""
    first, second = wav(tone(0.4, hz=300)), wav(tone(0.4, hz=600))
    async with asyncio.TaskGroup() as both:
        both.create_task(keep(uploads, "test.wav", first, step=100))
        both.create_task(keep(uploads, "test.wav", second, step=100))
    assert uploads.open("test.wav").read_bytes() in (first, second)
    assert kept(uploads) == ["test.wav"]


async def test_who_reads_a_file_reads_it_to_its_end(uploads: Uploads) -> None:
    """A newer upload and the pruning do not disturb a stream in progress."""
    await keep(uploads, "test.wav", wav(tone(30, hz=300)))
    with Decoder(uploads.open("test.wav")) as decoder:
        chunks = decoder.chunks()
        heard = next(chunks).pcm
        await keep(uploads, "test.wav", wav(tone(30, hz=600)))
        uploads.prune(now=1e12)
        heard += b"".join(chunk.pcm for chunk in chunks)
    as_it_was = heard == tone(30, hz=300)  # a megabyte: pytest would draw the difference for hours
    assert as_it_was
    assert kept(uploads) == []


async def test_pruning_removes_what_is_old_and_nothing_else(
    uploads: Uploads, tmp_path: Path
) -> None:
    """A file stays for `keep_s` seconds; an upload on its way in is left alone."""
    await keep(uploads, "old.wav", SPEECH)
    await keep(uploads, "new.wav", SPEECH)
    os.utime(uploads.open("old.wav"), (1_000_000, 1_000_000))
    os.utime(uploads.open("new.wav"), (1_000_001, 1_000_001))
    async with uploads.receive("coming.wav") as receiver:
        await receiver.write(SPEECH)
        (incoming,) = (tmp_path / "uploads").glob(".incoming-*")
        os.utime(incoming, (1_000, 1_000))
        assert uploads.prune(now=1_000_000 + 3_600.5) == 1
    assert kept(uploads) == ["coming.wav", "new.wav"]


# Full and broken disks

SMALL_DISK = """
import asyncio, os, resource, sys
from pathlib import Path
from parola.domain.errors import DiskFull
from parola.server.uploads import Uploads

resource.setrlimit(resource.RLIMIT_FSIZE, (50_001, 50_001))

async def main():
    uploads = Uploads(Path(sys.argv[1]), max_bytes=1_000_000, keep_s=1)
    try:
        async with uploads.receive("test.wav") as receiver:
            for _ in range(10):
                await receiver.write(bytes(10_000))
    except DiskFull as error:
        print(receiver.received, os.listdir(sys.argv[1]), error.message)

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    """Where the system cuts a write short, the upload ends as DiskFull and its part is removed."""
    run = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(tmp_path / "uploads")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("50000 [] There is no room for the upload")


def test_a_full_device_is_a_full_disk() -> None:
    """ENOSPC, from a device that is always full, is DiskFull."""
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError) as caught:  # noqa: PT011
        write_all(full, b"x")
    assert isinstance(disk_error(caught.value), DiskFull)


async def test_a_folder_that_is_gone_is_a_store_that_failed(
    uploads: Uploads, tmp_path: Path
) -> None:
    """What is neither the client's fault nor a full disk is said to be the server's."""
    (tmp_path / "uploads").rmdir()
    with pytest.raises(StoreFailed, match="on the server"):
        await keep(uploads, "test.wav", SPEECH)


def test_every_byte_is_written_however_little_is_taken_at_a_time(tmp_path: Path) -> None:
    """A pipe that takes less than it is given still gets everything, in order."""

    class Slow(io.FileIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return super().write(memoryview(data)[:7])

    with Slow(tmp_path / "slow", "wb") as file:
        write_all(file, SPEECH)
    assert (tmp_path / "slow").read_bytes() == SPEECH


# Forms


@pytest.mark.parametrize("step", [1, 7, 1_000, 100_000])
async def test_a_form_is_read_however_it_is_cut(uploads: Uploads, step: int) -> None:
    """The article's upload gives its name, and the file is byte-equal."""
    name = await receive_multipart(pieces(part(SPEECH) + b"--XyZ--\r\n", step), FORM, uploads)
    assert name == "test.wav"
    assert uploads.open(name).read_bytes() == SPEECH


async def test_a_file_may_hold_what_looks_like_a_boundary(uploads: Uploads) -> None:
    """Sound that contains most of a boundary is kept as it is."""
    data = SPEECH + b"\r\n--Xy\r\n--XYZ--\r\n-"
    await receive_multipart(pieces(part(data) + b"--XyZ--\r\n", 5), FORM, uploads)
    assert uploads.open("test.wav").read_bytes() == data


async def test_other_fields_are_read_over(uploads: Uploads) -> None:
    """A form may hold more than the file."""
    note = b'--XyZ\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    body = note + part(SPEECH, "città.wav") + note + b"--XyZ--\r\n"
    assert await receive_multipart(pieces(body), FORM, uploads) == "città.wav"


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "video/mp4", "xaudio/wav"])
async def test_only_audio_is_allowed(uploads: Uploads, content_type: str | None) -> None:
    """The predecessor's rule in its own words; a part without a content type is no audio."""
    body = part(SPEECH, content_type=content_type) + b"--XyZ--\r\n"
    with pytest.raises(OnlyAudio) as caught:
        await receive_multipart(pieces(body), FORM, uploads)
    assert caught.value.message == "Only audio files are allowed"
    assert kept(uploads) == []


END = b"--XyZ--\r\n"
BAD_FORMS = {
    "nothing": b"",
    "no form": b"hello",
    "no parts": END,
    "another field": part(SPEECH, field="sound") + END,
    "a field instead of a file": b'--XyZ\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    b"test.wav\r\n" + END,
    "no disposition": b"--XyZ\r\nContent-Type: audio/wav\r\n\r\n" + SPEECH + b"\r\n" + END,
    "another boundary": part(SPEECH).replace(b"XyZ", b"AbC") + b"--AbC--\r\n",
    "no end": part(SPEECH),
    "cut in the file": part(SPEECH)[:5_000],
    "several files": part(SPEECH) + part(SPEECH, "second.wav") + END,
    "a bad header": b"--XyZ\r\nContent Disposition\r\n\r\n" + END,
    "a header bomb": b"--XyZ\r\nX: " + b"a" * 100_000 + b"\r\n\r\n" + END,
    "a thousand headers": b"--XyZ\r\n" + b"X: a\r\n" * 1_000 + b"\r\n" + END,
    "a path": part(SPEECH, "../x.wav") + END,
    "a Windows path": part(SPEECH, "..\\x.wav") + END,
    "a NUL": part(SPEECH, "x\0.wav") + END,
    "a long name": part(SPEECH, "a" * 300 + ".wav") + END,
    "no name": part(SPEECH, "") + END,
    "a name in Latin-1": part(SPEECH, "citta.wav").replace(b"citta", b"citt\xe0") + END,
}


@pytest.mark.parametrize("what", BAD_FORMS)
async def test_a_bad_form_is_refused_and_leaves_nothing(uploads: Uploads, what: str) -> None:
    """Whatever is wrong with a form is told in a sentence, and no file stays."""
    with pytest.raises(BadMessage) as caught:
        await receive_multipart(pieces(BAD_FORMS[what]), FORM, uploads)
    assert caught.value.message.endswith(".")
    assert kept(uploads) == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; boundary=\N{MICROPHONE}",
    ],
)
async def test_a_request_that_is_no_form_is_refused(uploads: Uploads, header: str) -> None:
    """Without a usable boundary nothing is read."""
    with pytest.raises(BadMessage):
        await receive_multipart(pieces(part(SPEECH) + END), header, uploads)


def read_form(body: bytes, header: str, cuts: list[int]) -> tuple[str, bytes] | type[ParolaError]:
    """Return the name and content that the form gives, or the error."""
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found: list[str | bytes] = []
    try:
        form = FileForm(header)
        for start, end in itertools.pairwise(edges):
            found += form.feed(body[start:end])
        form.finish()
    except ParolaError as error:
        return type(error)
    names = [piece for piece in found if isinstance(piece, str)]
    return "|".join(names), b"".join(piece for piece in found if isinstance(piece, bytes))


@settings(max_examples=300)
@given(
    edits=st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=6)), max_size=4),
    cuts=st.lists(st.integers(0, 300), max_size=12),
    header=st.one_of(st.just(FORM), st.just(FORM), st.text(max_size=60)),
)
def test_any_form_is_read_alike_however_it_is_cut(
    edits: list[tuple[int, bytes]], cuts: list[int], header: str
) -> None:
    """A form, mangled or not, gives the same file or the same of our errors in any pieces."""
    body = bytearray(part(b"some\r\n--sound") + END)
    for at, new in edits:
        body[at : at + len(new)] = new
    assert read_form(bytes(body), header, cuts) == read_form(bytes(body), header, [])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6)), max_size=5),
    step=st.integers(500, 3_000),
    header=st.one_of(st.just(FORM), st.text(max_size=60)),
)
async def test_any_bytes_give_a_name_or_a_documented_error(
    uploads: Uploads, edits: list[tuple[int, bytes]], step: int, header: str
) -> None:
    """However a form is mangled, it is taken whole or refused with one of our errors."""
    body = bytearray(part(SPEECH) + END)
    for at, new in edits:
        body[at : at + len(new)] = new
    before = kept(uploads)
    try:
        name = await receive_multipart(pieces(bytes(body), step), header, uploads)
    except ParolaError:
        assert kept(uploads) == before
    else:
        assert sum(chunk.frames for chunk in decode(uploads.open(name))) > 0


async def test_endless_other_fields_are_cut_off(uploads: Uploads) -> None:
    """What is read over counts towards the limit too."""

    async def endless() -> AsyncIterator[bytes]:
        yield b'--XyZ\r\nContent-Disposition: form-data; name="note"\r\n\r\n'
        while True:
            yield bytes(60_000)

    with pytest.raises(TooLarge, match="1 MB"):
        await receive_multipart(endless(), FORM, uploads)


async def test_a_large_upload_is_never_in_memory(tmp_path: Path) -> None:
    """64 MB come in through less than 1 MB of memory."""
    uploads = Uploads(tmp_path / "uploads", max_bytes=100_000_000, keep_s=1)
    head, piece = wav(bytes(64 * 1_000_000))[:44], bytes(64_000)

    async def body() -> AsyncIterator[bytes]:
        yield part(head)[:-2]
        for _ in range(1_000):
            yield piece
        yield b"\r\n" + END

    tracemalloc.start()
    try:
        await receive_multipart(body(), FORM, uploads)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert uploads.open("test.wav").stat().st_size == 64_000_044


@pytest.mark.parametrize("kind", ["mp3", "m4a", "webm", "opus.ogg", "mp4"])
async def test_every_kind_of_file_can_be_uploaded(uploads: Uploads, kind: str) -> None:
    """Any container that can be decoded is taken."""
    body = part(audio_file(kind, tone(0.5)), f"talk.{kind}", "audio/x-whatever") + END
    name = await receive_multipart(pieces(body), FORM, uploads)
    assert sum(chunk.frames for chunk in decode(uploads.open(name))) >= 8_000
