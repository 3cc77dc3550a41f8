"""Microphones as people have them: real ALSA, real PulseAudio, real speech, to text."""

import os
import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.audio_files import wav
from tests.servers import RunningServer
from tests.sound_system import SoundSystem, pulseaudio

ROOT = Path(__file__).parents[2]
PAROLA = [sys.executable, "-m", "parola.cli"]
SPEECH = "speech/harvard-spk1_snt5.wav"
WORDS = {"sunday", "best", "part", "week"}
"""Some of what is said there; see the recordings' manifest."""

PAUSE = bytes(32_000)
"""A second between sentences, so that each is final soon."""

ENOUGH = 3
"""So many of them an embedded recogniser gets, through whatever the sound has come."""

pytestmark = [pytest.mark.audio, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundSystem]:
    with pulseaudio(tmp_path_factory.mktemp("sound")) as system:
        yield system


@pytest.fixture(scope="module")
def lecture(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentence again and again, for two minutes: longer than any of these tests."""
    path = tmp_path_factory.mktemp("lecture") / "lecture.wav"
    path.write_bytes(wav((samples(recordings / SPEECH) + PAUSE) * 35))
    return path


def samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def parola(
    *arguments: str, env: dict[str, str], timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PAROLA, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def understood(server: RunningServer, room: str) -> set[str]:
    """Return which of the words are in the room's transcript."""
    answer = httpx.get(f"{server.url}/api/rooms/{room}/transcript.txt")
    return WORDS & set(re.findall(r"\w+", answer.text.lower())) if answer.is_success else set()


def listen_until_understood(
    server: RunningServer, room: str, *arguments: str, env: dict[str, str]
) -> str:
    """Listen until enough words are in the transcript, then press Ctrl+C; return what it said."""
    options = ["--room", room, "--server", server.ws]
    command = [*PAROLA, "listen", *options, *arguments]
    listening = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    until = time.monotonic() + 70
    while len(understood(server, room)) < ENOUGH and time.monotonic() < until:
        if listening.poll() is not None:
            break
        time.sleep(0.2)
    listening.send_signal(signal.SIGINT)
    said, _ = listening.communicate(timeout=30)
    assert listening.returncode == 0, said
    assert len(understood(server, room)) >= ENOUGH, said
    return said


def test_an_alsa_microphone_becomes_text(
    real: RunningServer, sound: SoundSystem, recordings: Path
) -> None:
    """Speech into a real ALSA device, opened through PortAudio by its name, arrives as words."""
    env = sound.with_microphone(samples(recordings / SPEECH))
    said = listen_until_understood(real, "alsa", "--device", "lectern", env=env)
    assert "is saved" in said
    # The microphone is remembered.
    probed = parola("listen", "--probe", env=env)
    assert probed.stdout.startswith("lectern, ALSA: sound")
    assert parola("listen", "--forget", env=env).returncode == 0


def test_what_is_played_into_a_sink_becomes_text(
    real: RunningServer, sound: SoundSystem, lecture: Path
) -> None:
    """Speech played by another program into a null sink is heard from that sink's monitor."""
    env = sound.environment
    with sound.playing(lecture, "mixer", "lecture"):
        said = listen_until_understood(real, "pulse", "--device", "mixer.monitor", env=env)
    assert "is saved" in said


def test_devices_tells_which_entry_delivers_sound(sound: SoundSystem, recordings: Path) -> None:
    """Of several entries the one that speaks is told from those that are silent."""
    env = sound.with_microphone(samples(recordings / SPEECH) * 4)
    run = parola("devices", "--seconds", "0.5", env=env)
    assert run.returncode == 0, run.stderr
    lines = {line.split(",")[0].split()[-1]: line for line in run.stdout.splitlines()}
    assert "sound" in lines["lectern"]
    assert "dBFS" in lines["lectern"]
    assert "silent" in lines["clock.monitor"]
    number = lines["lectern"].split()[0].strip("*")
    assert f"parola listen --device {number}" in run.stdout
    listed = parola("listen", "--list-devices", env=env)
    assert "lectern, ALSA" in listed.stdout
    assert "mixer.monitor, PulseAudio" in listed.stdout


def test_a_device_that_is_not_there_gets_the_list(sound: SoundSystem) -> None:
    """A wrong name ends with 2 and names what there is; half a name that fits two does, too."""
    for wanted in ("tape", "monitor"):
        run = parola("listen", "--device", wanted, env=sound.environment)
        assert run.returncode == 2
        assert "mixer.monitor, PulseAudio" in run.stderr
        assert "Traceback" not in run.stderr


def make(target: str, *variables: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", "-C", str(ROOT), target, *variables]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def sink_of(sound: SoundSystem, app: str) -> str:
    """Return the name of the sink that an application plays into."""
    number = sound.run("pactl", "list", "short", "sinks")
    names = {line.split("\t")[0]: line.split("\t")[1] for line in number.splitlines()}
    streams = sound.run("pactl", "list", "sink-inputs").split("Sink Input #")[1:]
    (stream,) = [stream for stream in streams if f'application.name = "{app}"' in stream]
    found = re.search(r"^\tSink: (\d+)$", stream, re.MULTILINE)
    assert found
    return names[found[1]]


def our_modules(sound: SoundSystem) -> list[str]:
    lines = sound.run("pactl", "list", "short", "modules").splitlines()
    return sorted(line.split("\t")[1] for line in lines if "loopback" in line)


@pytest.mark.parametrize(
    ("there", "back"), [("loopback", "unloopback"), ("loopback_redirect", "loopback_clean")]
)
def test_a_program_is_heard_and_given_back(
    sound: SoundSystem, lecture: Path, there: str, back: str
) -> None:
    """A program's streams move into a sink that can be heard, and back; both may be repeated."""
    env = sound.environment
    assert "Firefox Test plays nothing" in make(there, "APP=Firefox Test", env=env).stderr
    with sound.playing(lecture, "mixer", "Firefox Test"):
        for _ in range(2):
            run = make(there, "APP=firefox", "MONITOR=1", env=env)
            assert run.returncode == 0, run.stderr
            assert "parola listen --device loopback.monitor" in run.stderr
            assert our_modules(sound) == ["module-loopback", "module-null-sink"]
            assert sink_of(sound, "Firefox Test") == "loopback"
        if there == "loopback":
            probed = parola("listen", "--device", "loopback", "--probe", env=env)
            assert probed.stdout.startswith("loopback.monitor, PulseAudio: sound"), probed.stdout
        for _ in range(2):
            run = make(back, env=env)
            assert run.returncode == 0, run.stderr
            assert our_modules(sound) == []
        assert sink_of(sound, "Firefox Test") != "loopback"


def test_without_a_sound_system_it_says_what_to_install(sound: SoundSystem, tmp_path: Path) -> None:
    """Without pactl, and without a running server, a sentence says what is missing."""
    for name in ("make", "bash", "env", "awk", "sed"):
        path = next(
            Path(folder) / name
            for folder in os.environ["PATH"].split(":")
            if (Path(folder) / name).exists()
        )
        (tmp_path / name).symlink_to(path)
    script = str(ROOT / "deploy" / "loopback.sh")
    for env, wanted in (
        ({"PATH": str(tmp_path)}, "apt-get install pulseaudio-utils"),
        (sound.environment | {"PULSE_SERVER": f"unix:{tmp_path}/none"}, "answers"),
    ):
        run = subprocess.run(
            ["/bin/bash", script, "up"], env=env, capture_output=True, text=True, check=False
        )
        assert run.returncode == 3
        assert wanted in run.stderr
