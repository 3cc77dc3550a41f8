"""A real PulseAudio with null sinks, and microphones that are files, for tests."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soxr

PROGRAMS = ("pulseaudio", "pactl", "parec", "paplay")

START_S = 15.0
"""How long the daemon may take to answer."""

ALSA = """\
</usr/share/alsa/alsa.conf>
# A file has no clock: the silence of a null sink sets its pace.
pcm.clock {{ type pulse device "clock.monitor" }}
pcm.lectern {{
    type file
    slave.pcm clock
    file "/dev/null"
    infile "{samples}"
    format "raw"
    hint {{ show on description "Lectern" }}
}}
"""


@dataclass(frozen=True, slots=True)
class SoundSystem:
    """A running PulseAudio."""

    environment: dict[str, str]
    """What programs need to find it, and nothing else that makes sound."""

    folder: Path

    def run(self, *command: str) -> str:
        """Run a program that talks to it, and return what it printed."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout

    @contextmanager
    def playing(self, recording: Path, sink: str, app: str) -> Iterator[None]:
        """Play a recording into a sink as an application of this name."""
        command = ["paplay", f"--device={sink}", f"--client-name={app}", str(recording)]
        process = subprocess.Popen(command, env=self.environment)
        try:
            self._wait_until_it_plays(app)
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _wait_until_it_plays(self, app: str) -> None:
        until = time.monotonic() + START_S
        while f'application.name = "{app}"' not in self.run("pactl", "list", "sink-inputs"):
            assert time.monotonic() < until, f"{app} plays nothing"
            time.sleep(0.05)

    def with_microphone(self, pcm: bytes) -> dict[str, str]:
        """Return an environment in which ALSA has a microphone "lectern" that hears the samples.

        They are 16 kHz mono and come at 44.1 kHz, which PortAudio takes to be ALSA's wish; after
        them it is silent.
        """
        samples = self.folder / "lectern.raw"
        loud = soxr.resample(np.frombuffer(pcm, "<i2"), 16_000, 44_100)
        samples.write_bytes(loud.astype("<i2").tobytes())
        config = self.folder / "asound.conf"
        config.write_text(ALSA.format(samples=samples))
        return self.environment | {"ALSA_CONFIG_PATH": str(config)}


@contextmanager
def pulseaudio(folder: Path) -> Iterator[SoundSystem]:
    """Start PulseAudio with the null sinks "mixer" and "clock", in a folder of its own."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        reason = f"no {', '.join(missing)}: apt-get install pulseaudio pulseaudio-utils"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    socket = runtime / "native"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PAROLA_")} | {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "PULSE_RUNTIME_PATH": str(runtime / "pulse"),
        "PULSE_SERVER": f"unix:{socket}",
    }
    command = ["pulseaudio", "-n", "--daemonize=no", "--system=false", "--use-pid-file=no"]
    command += ["--exit-idle-time=-1", "--realtime=no", "--high-priority=no"]
    command += ["--log-target=stderr"]
    for module in (
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
        "module-null-sink sink_name=mixer rate=48000",
        "module-null-sink sink_name=clock rate=16000 channels=1",
    ):
        command.append(f"--load={module}")
    with (folder / "pulseaudio.log").open("w") as log:
        daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        system = SoundSystem(environment, folder)
        _wait_until_it_answers(system, daemon)
        yield system
    finally:
        daemon.terminate()
        daemon.wait(10)


def _wait_until_it_answers(system: SoundSystem, daemon: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            system.run("pactl", "info")
        except subprocess.CalledProcessError:
            log = (system.folder / "pulseaudio.log").read_text()
            assert daemon.poll() is None, log
            assert time.monotonic() < until, log
            time.sleep(0.05)
        else:
            return
