"""What one sherpa process makes of many rooms: `python -m bench.sherpa [--model FOLDER]`.

1, 4 and 8 rooms speak at once into one model's process, as fast as it takes them. Without a
folder the model is one of a few kilobytes that the tests make: its figures are the price of all
but the model (features, decoder, endpoints, sockets), the least a room can cost.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil

from parola.beside import beside
from parola.domain.audio import RATE_HZ, AudioChunk, to_frames
from parola.domain.vocabulary import language_tag
from parola.engines.sherpa import SherpaEngine
from parola.engines.sherpa_model import Model, read_model
from parola.ports import EngineStream, StreamRequest
from tests.tone_models import spoken, write_transducer, write_zipformer2_ctc

ROOMS = (1, 4, 8)
CHUNK = to_frames(0.1)


def sound(seconds: float) -> list[AudioChunk]:
    """Return tones and noise, all of it voiced, 100 ms at a time."""
    count = round(seconds * RATE_HZ)
    tones = np.resize(np.frombuffer(spoken("NO YES "), "<i2"), count)
    pcm = (tones + np.random.default_rng(1).normal(0, 100, count)).astype("<i2").tobytes()
    return [AudioChunk(at // 2, pcm[at : at + 2 * CHUNK]) for at in range(0, len(pcm), 2 * CHUNK)]


async def room(engine: SherpaEngine, chunks: Sequence[AudioChunk], language: str) -> int:
    """Let one room speak; return the process that heard it."""

    async def send(stream: EngineStream) -> None:
        for chunk in chunks:
            await stream.send(chunk)
        await stream.end()

    request = StreamRequest(language_tag(language), "bench")
    async with engine.open(request) as stream, beside(send(stream)):
        async for _ in stream:
            pass
        return stream.pid


async def measured(model: Model, rooms: int, seconds: float) -> str:
    """Return a row of the table."""
    chunks, language = sound(seconds), model.languages[0]
    with closing(SherpaEngine([model], max_rtf=100.0)) as engine:
        process = psutil.Process(await room(engine, sound(1.0), language))
        before, began = sum(process.cpu_times()[:2]), time.perf_counter()
        await asyncio.gather(*(room(engine, chunks, language) for _ in range(rooms)))
        wall_s = time.perf_counter() - began
        cpu_s = sum(process.cpu_times()[:2]) - before
        memory_mb = process.memory_info().rss / 2**20
    per_room = cpu_s / (rooms * seconds)
    return f"| {model.kind} | {rooms} | {wall_s / seconds:.4f} | {per_room:.4f} | {memory_mb:.0f} |"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--model", type=Path, help="folder of a model; else those of the tests")
    options.add_argument("--seconds", type=float, default=120.0, help="sound of each room")
    told = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        makers = (write_transducer, write_zipformer2_ctc)
        folders = (
            [told.model] if told.model else [make(Path(made) / make.__name__) for make in makers]
        )
        print("| model | rooms | s of clock per s of sound | CPU s per s of each room | MB |")
        print("|---|---|---|---|---|")
        for folder in folders:
            for rooms in ROOMS:
                print(asyncio.run(measured(read_model(folder), rooms, told.seconds)), flush=True)


if __name__ == "__main__":
    main()
