"""What streams to Amazon Transcribe cost the caller: our engine beside both of AWS's SDKs.

One endpoint (our own, over TLS, in a process of its own), 1, 5 and 20 streams in real time, each
client in a process of its own that measures itself while the streams run; runs are interleaved
and repeated, figures are medians. Memory per stream is the growth from 1 stream to the most.
The SDKs' environments are made by scripts; one that is not there is left out and said.

    python -m bench.transcribe_client [--seconds 20] [--repeats 3] [--streams 1 5 20]
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from parola.engines.scripted import ScriptedEngine
from parola.transcribe_api.dev_ca import dev_certificate
from parola.transcribe_api.door import Setup
from parola.transcribe_api.faults import Scenario
from parola.transcribe_api.serving import open_transcribe_api, run

ROOT = Path(__file__).parents[1]

INTERPRETERS = {
    "parola": Path(sys.executable),
    "amazon-transcribe": ROOT / ".tools" / "sdk-amazon-transcribe" / "bin" / "python",
    "aws-sdk": ROOT / ".tools" / "sdk-aws-transcribe" / "bin" / "python",
}


async def serve(folder: Path) -> None:
    """Serve until standard input ends; print the address."""
    _, certificate = dev_certificate(folder, datetime.now(UTC))
    scenario = Scenario(streams=1000, starts_per_s=1000)
    setup = Setup([ScriptedEngine()], lambda: None, time.monotonic, scenario=scenario)
    async with open_transcribe_api(setup, certificate=certificate) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def endpoint(folder: Path) -> Iterator[str]:
    """Run the endpoint in a process of its own and give its address."""
    command = [sys.executable, "-m", "bench.transcribe_client", "--serve", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip().replace("127.0.0.1", "localhost")
        process.stdin.close()


def measure(client: str, url: str, ca: Path, streams: int, seconds: int) -> dict[str, float]:
    """Run one client once."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-checked",
        "AWS_CA_BUNDLE": str(ca),
        "SSL_CERT_FILE": str(ca),
    }
    script = str(ROOT / "bench" / "transcribe_clients.py")
    command = [str(INTERPRETERS[client]), script, client, url, str(streams), str(seconds)]
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    # One of the SDKs writes tracebacks when its streams end well: shown only where it failed.
    assert run.returncode == 0, run.stderr
    figures: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    assert figures["words"], f"{client} heard nothing"
    return figures


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--serve", type=Path)
    asked = parser.parse_args()
    if asked.serve:
        run(serve(asked.serve))
        return
    clients = [name for name, python in INTERPRETERS.items() if python.exists()]
    for name in INTERPRETERS.keys() - set(clients):
        print(f"{name}: its environment is not there, left out")
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, endpoint(Path(folder)) as url:
        ca = Path(folder) / "ca.pem"
        for _ in range(asked.repeats):
            for streams in asked.streams:
                for name in clients:
                    figures = measure(name, url, ca, streams, asked.seconds)
                    runs.setdefault((name, streams), []).append(figures)
    show(clients, asked.streams, runs)


def show(
    clients: list[str],
    streams: list[int],
    runs: dict[tuple[str, int], list[dict[str, float]]],
) -> None:
    """Print what was measured."""
    heads = [f"{n} streams, % of a core" for n in streams]
    print("| Client | " + " | ".join(heads) + " | MB per stream |")
    print("|---" * (len(streams) + 2) + "|")
    least, most = min(streams), max(streams)

    def median(name: str, n: int, what: str) -> float:
        return statistics.median(run[what] for run in runs[name, n])

    for name in clients:
        cores = [f"{median(name, n, 'core_percent'):.1f}" for n in streams]
        grown = median(name, most, "resident") - median(name, least, "resident")
        memory = f"{grown / (most - least) / 1e6:.2f}" if most > least else "–"
        print(f"| {name} | " + " | ".join(cores) + f" | {memory} |")


if __name__ == "__main__":
    main()
