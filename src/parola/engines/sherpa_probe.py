"""Tries a model in a process of its own: whether it loads, and whether this machine keeps up.

sherpa-onnx ends the process on some models. Here that ends the trial only, and becomes a sentence.
"""

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from parola.domain.audio import RATE_HZ, to_frames
from parola.domain.errors import EngineFailed
from parola.engines.sherpa_loading_order import Load
from parola.engines.sherpa_model import Model

TRIAL_S = 4.0
"""Seconds of noise that are recognised, twice; the faster time counts, the other may have
waited for somebody else's work."""

WITHIN_S = 180.0
"""How long a trial may take: the largest models load in some seconds."""

_BOOT = (
    "import json,sys;sys.path[:]=json.loads(sys.argv[1]);"
    "from parola.engines.sherpa_probe import main;main(sys.argv[2])"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found."""

    rtf: float
    """Real-time factor: seconds of work for a second of sound, one stream."""


def try_model(model: Model, max_rtf: float) -> Trial:
    """Load the model in another process and recognise some noise there.

    Raises:
        EngineFailed: it does not load, or takes longer than `max_rtf` allows.
    """
    command = [sys.executable, "-c", _BOOT, json.dumps(sys.path), Load(str(model.folder)).text]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(model, f"it was not ready within {WITHIN_S:.0f} s") from error
    except OSError as error:
        raise _failed(model, f"no process can be started: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _failed(model, f"{_end(done.returncode)} ({said[-1][:300] if said else 'no word'})")
    rtf = float(json.loads(done.stdout.splitlines()[-1])["rtf"])
    if rtf > max_rtf:
        raise EngineFailed(
            f"This computer is too slow for the model {model.name}: a second of sound takes it "
            f"{rtf:.2f} s, the limit is {max_rtf:.2f} (--max-rtf). Take a smaller model, see "
            "`parola models list`."
        )
    return Trial(rtf)


def _failed(model: Model, reason: str) -> EngineFailed:
    return EngineFailed(
        f"sherpa-onnx cannot use the model in {model.folder}: {reason}. "
        "Remove it, and fetch it again with `parola models get`."
    )


def _end(code: int) -> str:
    """Return how a process ended, for a person."""
    if code >= 0:
        return f"its process ended with code {code}"
    return f"its process was ended by {signal.Signals(-code).name}"


def main(order: str) -> None:
    """Load, recognise noise, and print the real-time factor: what the trial's process does."""
    # Only here: it needs sherpa-onnx.
    from parola.engines.sherpa_loading import load  # noqa: PLC0415

    _, recogniser = load(Load.of(order))
    noise = np.random.default_rng(1).normal(0, 0.05, to_frames(TRIAL_S)).astype(np.float32)
    times = []
    for _ in range(2):
        stream = recogniser.create_stream()
        began = time.perf_counter()
        for at in range(0, len(noise), RATE_HZ // 10):
            stream.accept_waveform(RATE_HZ, noise[at : at + RATE_HZ // 10])
            while recogniser.is_ready(stream):
                recogniser.decode_streams([stream])
        times.append(time.perf_counter() - began)
    sys.stdout.write(json.dumps({"rtf": round(min(times) / TRIAL_S, 4)}) + "\n")
