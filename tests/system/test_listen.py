"""The audio client as a process: killed, interrupted, without a server, without PortAudio."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from parola.engines.scripted import marked_audio
from tests.audio_files import wav
from tests.servers import RunningServer, free_port, serving
from tests.system.talks import kept, numbers, read_words, spoken, viewer

PAROLA = [sys.executable, "-m", "parola.cli"]


def start(server: str, room: str, spool: Path, *options: str) -> subprocess.Popen[str]:
    """Start a client that can be spoken to through its stdin."""
    command = [*PAROLA, "listen", "--server", server, "--room", room, "--spool", str(spool)]
    return subprocess.Popen(
        [*command, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def say(client: subprocess.Popen[str], count: int) -> None:
    """Write marked sound to a client's stdin, and leave it open."""
    assert client.stdin
    client.stdin.flush()
    pcm = marked_audio(range(count))
    at = 0
    while at < len(pcm):
        at += os.write(client.stdin.fileno(), pcm[at:])


async def test_what_could_not_be_sent_is_sent_the_next_time(tmp_path: Path) -> None:
    """Ctrl+C twice without a server leaves the sound; the next client brings it home."""
    port = free_port()
    server = f"ws://127.0.0.1:{port}"
    spool = tmp_path / "spool"
    raw = ("--file", "-", "--rate", "16000")
    client = start(server, "later", spool, *raw)
    say(client, 20)
    wanted = len(marked_audio(range(20)))
    until = time.monotonic() + 30
    while sum(path.stat().st_size for path in spool.rglob("*.pcm")) < wanted:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    client.send_signal(signal.SIGINT)
    assert client.stdout
    lines = [client.stdout.readline()]
    while "Ctrl+C again" not in lines[-1]:
        lines.append(client.stdout.readline())
        assert lines[-1]
    client.send_signal(signal.SIGINT)
    said, _ = client.communicate(timeout=20)
    assert client.returncode == 130
    assert "the next `parola listen` into this room sends it" in said
    assert "parola serve" in "".join(lines)
    with serving(
        tmp_path / "data", "--engine", "scripted", "--port", str(port), ports=0
    ) as running:
        running.urls.append(server.replace("ws", "http", 1))
        client = start(server, "later", spool, *raw)
        said, _ = await asyncio.to_thread(client.communicate, "", timeout=60)
        assert client.returncode == 0, said
        assert await kept(running, "later") == numbers(0, 20)


async def test_stdin_is_heard_as_it_comes(scripted: RunningServer, tmp_path: Path) -> None:
    """Raw samples on stdin become words while the pipe is still open; its end is the talk's."""
    client = start(scripted.ws, "pipe", tmp_path, "--file", "-", "--format", "s16le")
    async with viewer(scripted, "pipe", "?after=0") as reader:
        say(client, 30)
        assert spoken(await read_words(reader, 10)).startswith(numbers(0, 10))
    assert client.poll() is None
    said, _ = await asyncio.to_thread(client.communicate, timeout=30)
    assert client.returncode == 0, said
    assert await kept(scripted, "pipe") == numbers(0, 30)


async def test_two_clients_do_not_mix_in_one_spool(scripted: RunningServer, tmp_path: Path) -> None:
    """A second client for the same room on one computer is told, and the first goes on."""
    first = start(scripted.ws, "twice", tmp_path, "--file", "-", "--rate", "16000")
    async with viewer(scripted, "twice", "?after=0") as reader:
        say(first, 20)
        await read_words(reader, 1)
        second = start(scripted.ws, "twice", tmp_path, "--file", "-", "--rate", "16000")
        said, _ = await asyncio.to_thread(second.communicate, "", timeout=30)
    assert second.returncode == 1
    assert "stop it first" in said
    first.send_signal(signal.SIGINT)
    said, _ = await asyncio.to_thread(first.communicate, timeout=30)
    assert first.returncode == 0, said
    assert await kept(scripted, "twice") == numbers(0, 20)


def test_on_a_terminal_there_is_a_level_and_a_word_about_clipping(
    scripted: RunningServer, tmp_path: Path
) -> None:
    """The line shows how loud it is, that it is too loud, and up to where the text is saved."""
    recording = tmp_path / "loud.wav"
    recording.write_bytes(wav((b"\xff\x7f" * 20 + b"\x01\x80" * 20) * 400))
    ours, theirs = pty.openpty()
    command = [*PAROLA, "listen", "--file", str(recording), "--server", scripted.ws]
    client = subprocess.Popen(
        [*command, "--room", "loud", "--spool-mb", "0"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    # At the end of the last writer a terminal is an error, not an end.
    with suppress(OSError):
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert client.wait(30) == 0, shown
    text = shown.decode()
    assert re.search(r"0:00 of 0:01 +█+·* +-?\d dBFS", text)
    assert "TOO LOUD, turn it down" in text
    assert "saved to 0:00" in text


WITHOUT_PORTAUDIO = """
import ctypes.util, os, sys
real = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if "portaudio" in name else real(name)
os.environ["PATH"] = ""
from parola.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("arguments", [("listen",), ("devices",), ("listen", "--list-devices")])
def test_without_portaudio_a_line_says_what_to_install(arguments: tuple[str, ...]) -> None:
    """Devices need PortAudio: the remedy is one line, and the exit code says that it is missing."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PORTAUDIO, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 3
    assert run.stderr == "Devices need PortAudio: apt-get install libportaudio2\n"


def test_help_and_recordings_need_no_portaudio(scripted: RunningServer, tmp_path: Path) -> None:
    """Without PortAudio the help is there, and recordings are streamed."""
    recording = tmp_path / "numbers.wav"
    recording.write_bytes(wav(marked_audio(range(10))))
    sending = ["--file", str(recording), "--server", scripted.ws, "--room", "none", "--fast"]
    for options in (["--help"], sending):
        run = subprocess.run(
            [sys.executable, "-c", WITHOUT_PORTAUDIO, "listen", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
