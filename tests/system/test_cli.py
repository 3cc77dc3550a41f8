"""The console command as people and programs meet it: lines, files, exit codes."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from parola import __version__
from parola.client.viewer import follow
from parola.domain.vocabulary import room_name
from parola.engines.scripted import marked_audio
from tests.audio_files import tone, wav
from tests.servers import RunningServer, serving

SAMPLE = Path(__file__).parents[2] / "src" / "parola" / "samples" / "talk.ogg"
PAROLA = [sys.executable, "-m", "parola.cli"]
TIME = re.compile(r"\d\d:\d\d:\d\d[,.]\d\d\d --> \d\d:\d\d:\d\d[,.]\d\d\d")


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which only the given settings count."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PAROLA_")} | more


def parola(
    *arguments: str | Path, cwd: Path | None = None, timeout_s: float = 90, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*PAROLA, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**env),
        timeout=timeout_s,
        check=False,
    )


def refused(run: subprocess.CompletedProcess[str], code: int) -> str:
    """Return what a command that ended with this code said: one line, no traceback."""
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    lines = run.stderr.splitlines()
    assert len(lines) == 1, run.stderr
    return lines[0]


def numbers_file(folder: Path, count: int, name: str = "numbers.wav") -> Path:
    """Write a recording that a scripted engine hears as the numbers from 0 on."""
    path = folder / name
    path.write_bytes(wav(marked_audio(range(count))))
    return path


def words_of(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_alone_it_shows_what_it_can_do() -> None:
    """`parola` lists the commands; `parola --version` tells the version."""
    alone = parola()
    assert alone.returncode == 0
    for command in ("serve", "transcribe", "listen", "export", "doctor", "demo"):
        assert command in alone.stdout
    assert parola("--version").stdout == f"parola {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("serve", "--nonsense"),
        ("serve", "--port", "eighty"),
        ("serve", "--engine", "oracle"),
        ("serve", "--max-sessions", "0"),
        ("serve", "--language", "klingon", "--port", "0"),
        ("transcribe",),
        ("transcribe", SAMPLE, "--engine-option", "vocabulary_name"),
        ("transcribe", SAMPLE, "--engine", "scripted", "--engine-option", "vocabulary_name=x"),
        ("listen", "--file", SAMPLE, "--engine-option", "=x"),
        ("listen", "--file", SAMPLE, "--device", "0"),
        ("listen", "--file", "-", "--format", "mp5"),
        ("listen", "--file", "nowhere.wav"),
        ("listen", "--file", SAMPLE, "--server", "ftp://x"),
        ("listen", "--file", SAMPLE, "--room", "../x"),
        ("export", "main", "--data", "here", "--server", "http://there"),
        ("export", "main", "--data", "nowhere"),
        ("export", "main", "-o", "main.doc"),
    ],
    ids=str,
)
def test_wrong_usage_is_one_sentence(arguments: tuple[str | Path, ...], tmp_path: Path) -> None:
    """Each mistake ends with 2 and one line on stderr."""
    refused(parola(*arguments, cwd=tmp_path), 2)


# serve


def test_serve_says_when_it_is_ready_and_stops_in_order(tmp_path: Path) -> None:
    """Each port has its line on stdout, the engine one with its reason; SIGTERM ends with 0."""
    with serving(tmp_path / "data", "--engine", "auto", ports=2) as server:
        assert len(set(server.urls)) == 2
        assert server.process.stdout
        line = server.process.stdout.readline()
        assert line.startswith("Engine: auto took pocketsphinx: embedded demonstrator")
        assert server.stop() == 0


def test_serve_ends_with_0_on_control_c(tmp_path: Path) -> None:
    """SIGINT is the usual way to end it at a terminal, and not a failure."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0


def test_serve_warns_where_strangers_may_come(tmp_path: Path) -> None:
    """On any address but loopback, open to all only if asked to be, and then with a warning."""
    options = ("--engine", "scripted", "--host", "0.0.0.0", "--open")  # noqa: S104
    with serving(tmp_path / "data", *options) as server:
        server.stop()
    assert "anybody who reaches 0.0.0.0 can" in (tmp_path / "server.log").read_text()


def test_serve_on_a_taken_port_names_another(tmp_path: Path) -> None:
    """A port in use ends with 3 and the number to try."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = parola("serve", "--port", str(port), "--data", tmp_path / "d", "--engine", "scripted")
    assert f"Port {port} is taken" in refused(run, 3)
    assert not run.stdout


def test_serve_without_a_folder_to_write_says_so(tmp_path: Path) -> None:
    """A data folder that cannot be made ends with 3."""
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "data"
    refused(parola("serve", "--port", "0", "--data", folder, "--engine", "scripted"), 3)


def test_serve_refuses_a_folder_in_use(tmp_path: Path) -> None:
    """Two servers never write into one folder."""
    with serving(tmp_path / "data", "--engine", "scripted") as server:
        run = parola("serve", "--port", "0", "--data", server.data, "--engine", "scripted")
    assert f"in use by process {server.process.pid}" in refused(run, 3)


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    """A variable counts where no option is given, and a wrong one is named."""
    run = parola("serve", "--port", "0", "--data", tmp_path, PAROLA_STOP_WITHIN_S="soon")
    message = refused(run, 2)
    assert "PAROLA_STOP_WITHIN_S" in message
    run = parola("serve", "--port", "0", "--data", tmp_path, PAROLA_LANGUAGE="klingon")
    assert "it-IT" in refused(run, 2)


# transcribe


@pytest.mark.parametrize("form", ["srt", "vtt", "txt", "json"])
def test_transcribe_writes_each_format(form: str, tmp_path: Path) -> None:
    """Every word is in the file, in the format that its name says."""
    recording, output = numbers_file(tmp_path, 95), tmp_path / f"out.{form}"
    run = parola("transcribe", recording, "-o", output, "--engine", "scripted")
    assert run.returncode == 0, run.stderr
    assert not run.stdout
    text = output.read_text()
    if form == "json":
        (session,) = json.loads(text)["sessions"]
        text = "\n".join(segment["text"] for segment in session["segments"])
    else:
        text = TIME.sub("", text).replace("WEBVTT", "")
        if form == "srt":
            text = re.sub(r"^\d+$\n(?=\n)", "", text, flags=re.MULTILINE)
        text = re.sub(r"^NOTE .*$", "", text, flags=re.MULTILINE)
        if form == "txt":
            assert text.startswith("numbers – ")
            text = text.partition("\n")[2]
    assert text.split() == words_of(95)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numbers.wav", output.name]


def test_transcribe_prints_finals_on_a_pipe(tmp_path: Path) -> None:
    """Without -o each final is a line on stdout; how it went is on stderr."""
    run = parola("transcribe", numbers_file(tmp_path, 25), "--engine", "scripted")
    assert run.returncode == 0
    assert [line.split() for line in run.stdout.splitlines()] == [
        words_of(25)[:10],
        words_of(25)[10:20],
        words_of(25)[20:],
    ]
    assert re.search(r"25 words; 2\.5 s of sound in [\d.]+ s", run.stderr)


def test_transcribe_takes_several_recordings(tmp_path: Path) -> None:
    """Into a folder goes one file for each; into one file they do not fit."""
    files = [numbers_file(tmp_path, 12, "a.wav"), numbers_file(tmp_path, 13, "b.wav")]
    folder = tmp_path / "out"
    folder.mkdir()
    options = ("--engine", "scripted", "--format", "vtt")
    assert parola("transcribe", *files, "-o", folder, *options).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.vtt", "b.vtt"]
    run = parola("transcribe", *files, "-o", tmp_path / "x.srt", *options)
    assert "name a folder" in refused(run, 2)


def test_transcribe_refuses_what_is_no_recording(tmp_path: Path) -> None:
    """A text, an empty file and a missing one end with 2; an older output stays as it was."""
    output = tmp_path / "out.srt"
    output.write_text("old")
    for name, data in (("a.wav", b"not sound at all"), ("b.wav", b"")):
        (tmp_path / name).write_bytes(data)
        refused(parola("transcribe", tmp_path / name, "-o", output, "--engine", "scripted"), 2)
    refused(parola("transcribe", tmp_path / "c.wav", "-o", output, "--engine", "scripted"), 2)
    assert output.read_text() == "old"


def test_transcribe_names_what_is_missing(tmp_path: Path) -> None:
    """A language that no engine knows ends with 3."""
    run = parola("transcribe", numbers_file(tmp_path, 5), "--language", "it-IT")
    assert "it-IT" in refused(run, 3)


def test_transcribe_hears_real_speech(tmp_path: Path) -> None:
    """The embedded engine gets most words of the sample talk right."""
    output = tmp_path / "talk.txt"
    run = parola("transcribe", SAMPLE, "-o", output)
    assert run.returncode == 0, run.stderr
    spoken = re.findall(r"[a-z']+", SAMPLE.with_suffix(".txt").read_text().lower())
    heard = set(output.read_text().lower().split())
    assert sum(word in heard for word in spoken) > 0.7 * len(spoken)


def test_transcribe_can_be_interrupted(tmp_path: Path) -> None:
    """Control-C in the middle ends with 130 and without a traceback."""
    process = subprocess.Popen(
        [*PAROLA, "transcribe", SAMPLE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_transcribe_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    """A terminal gets the finals, and a bar with the pace below them."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PAROLA, "transcribe", str(numbers_file(tmp_path, 60)), "--engine", "scripted"],
        stdout=slave,
        stderr=slave,
        env=environment(TERM="xterm-256color", COLUMNS="100"),
    )
    os.close(slave)
    shown = b""
    # Linux answers with an error when the other side of a terminal has gone.
    try:
        while data := os.read(master, 65536):
            shown += data
    except OSError:
        pass
    os.close(master)
    assert process.wait(30) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert " ".join(words_of(60)[:10]) in text
    assert "× real time" in text
    assert "60 words; 6.0 s of sound" in text


# listen and export


def test_what_is_streamed_can_be_exported(scripted: RunningServer, tmp_path: Path) -> None:
    """Every word streamed into a room is in its transcript, however that is fetched."""
    recording, room = numbers_file(tmp_path, 73), "Sala à 1"
    ws = scripted.ws
    sent = parola("listen", "--file", recording, "--sala", room, "--server", ws, "--fast")
    assert sent.returncode == 0, sent.stderr
    assert sent.stdout == f"Sent 7.3 s to room {room}; the text of 7.3 s is saved.\n"
    from_server = parola("export", room, "--server", scripted.url, "--format", "srt")
    from_folder = parola("export", room, "--data", scripted.data, "--format", "srt")
    assert from_server.returncode == from_folder.returncode == 0
    assert from_server.stdout == from_folder.stdout
    output = tmp_path / "room.json"
    assert parola("export", room, "--data", scripted.data, "-o", output).returncode == 0
    (session,) = json.loads(output.read_text())["sessions"]
    texts = [segment["text"] for segment in session["segments"]]
    assert " ".join(texts).split() == words_of(73)
    one = parola(
        "export", room, "--data", scripted.data, "--format", "json", "--session", session["session"]
    )
    assert json.loads(one.stdout)["sessions"] == [session]


def test_a_transcript_is_there_after_the_server_has_gone(tmp_path: Path) -> None:
    """The folder of a stopped server, and of a killed one, can be exported from."""
    recording = numbers_file(tmp_path, 20)
    for end in ("stop", "kill"):
        data = tmp_path / end / "data"
        data.parent.mkdir()
        with serving(data, "--engine", "scripted") as server:
            options = ("--file", recording, "--server", server.ws, "--fast")
            assert parola("listen", *options).returncode == 0
            getattr(server, end)()
        run = parola("export", "main", "--data", data, "--format", "txt")
        assert run.returncode == 0, run.stderr
        assert run.stdout.partition("\n")[2].split() == words_of(20)


def test_export_names_the_rooms_there_are(scripted: RunningServer, tmp_path: Path) -> None:
    """A room without a transcript ends with 2, from the folder and from the server."""
    recording = numbers_file(tmp_path, 1)
    options = ("--room", "known", "--server", scripted.ws, "--fast", "--lang", "it-IT")
    assert parola("listen", "--file", recording, *options).returncode == 0
    assert "known" in refused(parola("export", "unknown", "--data", scripted.data), 2)
    assert "unknown" in refused(parola("export", "unknown", "--server", scripted.url), 2)
    assert refused(parola("export", "x", "--server", "http://127.0.0.1:9"), 1)


def test_listen_keeps_to_the_clock(scripted: RunningServer, tmp_path: Path) -> None:
    """Two seconds of sound take two seconds to stream."""
    recording = tmp_path / "tone.wav"
    recording.write_bytes(wav(tone(2.0)))
    began = time.monotonic()
    run = parola("listen", "--file", recording, "--room", "clock", "--server", scripted.ws)
    assert run.returncode == 0, run.stderr
    assert time.monotonic() - began >= 2.0


def test_listen_passes_on_a_refusal(scripted: RunningServer, tmp_path: Path) -> None:
    """A busy room ends with 1 and the server's own words."""
    options = ("--room", "busy", "--server", scripted.ws)
    first = subprocess.Popen(
        [*PAROLA, "listen", "--file", str(SAMPLE), *options], env=environment()
    )
    try:
        wait_for_state(scripted, "busy")
        # As from another computer: it shares no spool with the first.
        elsewhere = ("--spool", tmp_path / "elsewhere")
        run = parola("listen", "--file", numbers_file(tmp_path, 5), *options, *elsewhere)
        assert "Another source is speaking into 'busy'" in refused(run, 1)
    finally:
        # Ctrl+C brings the last words home.
        first.send_signal(signal.SIGINT)
        assert first.wait(20) == 0


def wait_for_state(server: RunningServer, room: str) -> None:
    """Return when somebody speaks into the room."""

    async def wait() -> None:
        async with aclosing(follow(server.ws, room_name(room))) as messages:
            async for message in messages:
                if message["type"] == "segment":
                    return

    asyncio.run(asyncio.wait_for(wait(), 30))


def test_listen_without_a_server_says_what_to_start(tmp_path: Path) -> None:
    """Where nobody answers it ends with 1 and names the command that helps."""
    run = parola("listen", "--file", numbers_file(tmp_path, 1), "--server", "ws://127.0.0.1:9")
    assert "parola serve" in refused(run, 1)


# doctor, demo, and what is not installed


def test_doctor_finds_nothing_missing_here(tmp_path: Path) -> None:
    """Where the tests run everything is there, and the engine recognises the sample."""
    run = parola("doctor", "--data", tmp_path / "data")
    assert run.returncode == 0, run.stdout
    # A busy computer is warned of: how fast this one is, is not for a test to say.
    assert re.search(r"(ok|warn) +engine +\d+ words", run.stdout), run.stdout
    # Nobody calls AWS because credentials happen to lie around.
    assert re.search(r"ok +amazon +not asked for", run.stdout), run.stdout
    assert not list(tmp_path.iterdir())


def test_doctor_names_what_is_missing(tmp_path: Path) -> None:
    """A data folder that cannot be written ends with 3 and has its remedy."""
    run = parola("doctor", "--data", "/proc/parola", COLUMNS="200")
    assert run.returncode == 3
    assert re.search(r"fail +data folder .*another folder with --data", run.stdout)


def test_demo_shows_captions_and_leaves_a_transcript(tmp_path: Path) -> None:
    """Words arrive at a viewer, the transcript stays, the server does not."""
    data = tmp_path / "data"
    run = parola("demo", "--data", data, "--engine", "scripted", "--fast")
    assert run.returncode == 0, run.stderr
    assert "0:00  word for word the room is heard and every screen" in run.stdout
    assert f"The transcript: {data / 'demo.txt'}" in run.stdout
    assert "word for word" in (data / "demo.txt").read_text()
    found = re.search(r"A server runs at http://127\.0\.0\.1:(\d+);", run.stdout)
    assert found
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(found[1]))) != 0
    again = parola("export", "demo", "--data", data)
    assert again.stdout == (data / "demo.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demo_takes_its_server_with_it(number: signal.Signals, tmp_path: Path) -> None:
    """Stopped in the middle, it ends with 130, and the server it started has ended too."""
    process = subprocess.Popen(
        [*PAROLA, "demo", "--data", str(tmp_path / "data"), "--engine", "scripted"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout
    found = re.search(r":(\d+);", process.stdout.readline())
    assert found
    process.send_signal(number)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(found[1]))) != 0


def test_demo_fails_where_the_server_cannot_start(tmp_path: Path) -> None:
    """The server's own words say why, and the exit code is its own."""
    (tmp_path / "file").write_text("in the way")
    run = parola("demo", "--data", tmp_path / "file", "--engine", "scripted")
    assert run.returncode == 3
    assert "Traceback" not in run.stderr


BARE = [sys.executable, "-m", "tests.bare", "--"]
"""The command where nothing is installed but what `pip install parola` brings."""


@pytest.mark.parametrize(
    "arguments",
    [("serve",), ("transcribe", str(SAMPLE)), ("demo",), ("export", "main", "--data", "x")],
    ids=str,
)
def test_without_the_server_part_it_says_what_to_install(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """What needs the server's extra ends with 3 and the command that installs it."""
    run = subprocess.run(
        [*BARE, *arguments],
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=os.pathsep.join([str(Path.cwd()), *sys.path])),
        cwd=tmp_path,
        check=False,
    )
    assert "pip install 'parola[server,pocketsphinx]'" in refused(run, 3)


def test_listen_needs_no_server_part(scripted: RunningServer, tmp_path: Path) -> None:
    """The audio client streams where only the basic packages are installed."""
    recording = numbers_file(tmp_path, 5)
    options = ["--file", str(recording), "--room", "light", "--server", scripted.ws]
    run = subprocess.run(
        [*BARE, "listen", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_doctor_works_where_packages_are_missing(tmp_path: Path) -> None:
    """Without the server part the doctor still gives its table, and says what to install."""
    run = subprocess.run(
        [*BARE, "doctor", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment(COLUMNS="200"),
        check=False,
    )
    assert run.returncode == 3, run.stderr
    assert re.search(r"fail +server part +missing: fastapi", run.stdout)
    assert "Traceback" not in run.stderr
