"""Viewers that stop, reload, and send rubbish; and a hall that comes back at once."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from statistics import median

from bench.load.crowd import Crowd, Entrance, crowd
from bench.load.measure import (
    WITHIN_S,
    Memory,
    Run,
    Stretch,
    cpu_s,
    rate_hz,
    settle,
    spread,
    until_heard,
    verdict,
)
from bench.load.systems import Server, Setting, ours

STALLED = 0.05
"""The share of viewers that stop reading."""

P99_GOAL = 1.5
"""Times the undisturbed run's."""

MIB_GOAL = 1.0
"""By how much trouble may let the server grow."""

PACE_GOAL = 0.75
"""Of a core, at the pace that pages are told; the rest is the talk's. Source: RETURNS_PER_S."""

PAST = 1000
TALK_HZ = 1.0
TALK_S = 10.0
"""How long the talk goes on, beyond the time that they take to come."""

STAYED = 200
"""Viewers who are there all the time."""

MISSED = 100
"""Captions that somebody who comes back has not had."""


def faults(setting: Setting, viewers: int, seconds: float, repeats: int) -> bool:
    """Print what slow, restless and hostile viewers do to the others; return whether none lost."""
    calm: list[Run] = []
    rough: list[Run] = []
    grown_mib: list[float] = []
    for turn in range(repeats):
        for is_rough in (False, True) if turn % 2 == 0 else (True, False):
            with ours(setting) as server:
                run, grown = stretch(server, viewers, seconds, is_rough=is_rough)
            (rough if is_rough else calm).append(run)
            if is_rough:
                grown_mib.append(grown)
    print("| 1 room | CPU s per million | p50 ms | p99 ms | max ms | viewers' CPU s per million |")
    print("|---|---|---|---|---|---|")
    for runs in (calm, rough):
        print(
            f"| {runs[0].name} | {spread([run.cpu_s_per_million for run in runs], '.1f')} "
            f"| {spread([run.heard.p50_ms for run in runs])} "
            f"| {spread([run.heard.p99_ms for run in runs])} "
            f"| {spread([run.heard.max_ms for run in runs])} "
            f"| {spread([run.crowd_s_per_million for run in runs], '.1f')} |"
        )
    ratios = [b.heard.p99_ms / a.heard.p99_ms for a, b in zip(calm, rough, strict=True)]
    print(
        f"p99 × undisturbed: {spread(ratios)}; memory at its peak {spread(grown_mib, '+.1f')} MiB"
    )
    print(verdict("p99 × undisturbed, median", median(ratios), P99_GOAL))
    print(verdict("memory at its peak, median, MiB more", median(grown_mib), MIB_GOAL))
    is_whole = all(run.is_whole for run in calm + rough)
    print(f"healthy viewers lost nothing and had nothing twice: {'yes' if is_whole else 'NO'}")
    return is_whole


def stretch(
    server: Server, viewers: int, seconds: float, *, is_rough: bool, within_s: float = WITHIN_S
) -> tuple[Run, float]:
    """Return one run and by how much memory grew at most."""
    stalled = int(viewers * STALLED) if is_rough else 0
    name = "5 % stopped, one reloads, one rubbish" if is_rough else "undisturbed"
    with crowd(server.entrance, 1, viewers, stalled=stalled) as hall:
        settle(server, hall)
        memory = Memory(server.process)
        with troublemakers(server) if is_rough else nobody() as counts:
            measured = Stretch(server.process, hall)
            run = measured.end(name, server.say(rate_hz(viewers), seconds), within_s)
        held = sum(c.status == "ESTABLISHED" for c in server.process.net_connections("tcp"))
        grown = memory.peak_mib() - memory.before_mib
        print(
            f"  {name}: healthy viewers have {run.heard.least} to {run.heard.most} of {run.said}, "
            f"{run.heard.repeated} repeated, {run.heard.ended} cut off; memory {grown:+.1f} MiB; "
            f"{held} of {viewers} connections are held; {counts['reloads']} reloads, "
            f"{counts['rubbish']} times rubbish; viewers took {run.crowd_share:.2f} of a core",
            flush=True,
        )
        if complaint := run.complaint():
            print(f"  {complaint}", flush=True)
        return run, grown


@contextmanager
def nobody() -> Iterator[dict[str, int]]:
    """Let nobody make trouble."""
    yield {"reloads": 0, "rubbish": 0}


@contextmanager
def troublemakers(server: Server) -> Iterator[dict[str, int]]:
    """Let one viewer come anew each second and another send rubbish; count how often they did."""
    over = threading.Event()
    counts = {"reloads": 0, "rubbish": 0}
    others = [
        threading.Thread(target=_reload, args=(server, over, counts)),
        threading.Thread(target=_talk_rubbish, args=(server, over, counts)),
    ]
    for other in others:
        other.start()
    try:
        yield counts
    finally:
        over.set()
        for other in others:
            other.join()


def _reload(server: Server, over: threading.Event, counts: dict[str, int]) -> None:
    while not over.wait(1.0):
        with crowd(server.entrance, 1, 1) as one:
            one.until_ready()
        counts["reloads"] += 1


def _talk_rubbish(server: Server, over: threading.Event, counts: dict[str, int]) -> None:
    entrance = server.entrance
    head = f"GET {entrance.path % 0} HTTP/1.1\r\nHost: 127.0.0.1:{entrance.port}\r\n"
    if entrance.medium == "socket":
        head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    while not over.wait(0.1):
        # It is cut off before it has said all.
        with _connected(entrance) as sock, suppress(OSError):
            sock.sendall(f"{head}\r\n".encode())
            sock.sendall(bytes(range(256)) * 100)
        counts["rubbish"] += 1


def _connected(entrance: Entrance) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", entrance.port))
    if not entrance.tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


@dataclass(frozen=True, slots=True)
class Return:
    """How one hall came back while a talk went on and some had stayed."""

    is_whole: bool
    in_s: float
    """Until all handshakes were over."""

    all_s: float
    """Until everybody had everything that was missed."""

    cpu_s: float
    cpu_ms_each: float
    before_mib: float
    peak_mib: float
    stayed_p99_ms: float
    stayed_max_ms: float
    crowd_share: float


def storm(setting: Setting, viewers: int, repeats: int, spread_s: float) -> bool:
    """Print how long a hall that comes back waits, and what it costs; return whether none lost.

    At once, and over the time that the server tells its pages to take, in turns.
    """
    ways = {"at once": 0.0}
    if spread_s:
        ways[f"over {spread_s:g} s"] = viewers / spread_s
    runs: dict[str, list[Return]] = {name: [] for name in ways}
    for turn in range(repeats):
        for name in list(ways) if turn % 2 == 0 else reversed(ways):
            runs[name].append(_return(setting, viewers, name, ways[name]))
    print(
        f"| {viewers:,} viewers come | all are in, s | all have all, s | server CPU s "
        "| ms of it a viewer | memory before, MiB | at its peak | p99 ms of those who stayed "
        "| their max ms | viewers' own core |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, done in runs.items():
        columns = zip(*(astuple(run)[1:] for run in done), strict=True)
        print(f"| {name} | {' | '.join(spread(column) for column in columns)} |")
        if name != "at once":
            share = median(run.cpu_s / run.all_s for run in done)
            print(verdict(f"of the server's core while they come {name}", share, PACE_GOAL))
    is_whole = all(run.is_whole for done in runs.values() for run in done)
    print(f"everybody has every caption once: {'yes' if is_whole else 'NO'}")
    return is_whole


def _return(setting: Setting, viewers: int, name: str, per_second: float) -> Return:
    with ours(replace(setting, past=PAST)) as server:
        entrance = replace(server.entrance, path=f"{server.entrance.path}?after={PAST}")
        with crowd(entrance, 1, STAYED) as stayed:
            stayed.until_ready()
            return come_back(server, stayed, viewers, name, per_second)


def come_back(
    server: Server,
    stayed: Crowd,
    viewers: int,
    name: str,
    per_second: float,
    within_s: float = WITHIN_S,
) -> Return:
    """Let a hall come back to a talk that goes on, and return how that went."""
    entrance = replace(server.entrance, path=f"{server.entrance.path}?after={PAST - MISSED}")
    memory, used_s, began_s = Memory(server.process), cpu_s(server.process), time.monotonic()
    talk_s = TALK_S + (viewers / per_second if per_second else 0.0)
    with (
        ThreadPoolExecutor(1) as speakers,
        crowd(entrance, 1, viewers, per_second=per_second) as hall,
    ):
        talk = speakers.submit(server.say, TALK_HZ, talk_s)
        hall.until_ready()
        in_s = time.monotonic() - began_s
        # They come in order. To ask 5,000 viewers takes the crowd a while.
        back = until_heard(hall, MISSED, within_s, 0.2)
        all_s = time.monotonic() - began_s
        took_s, peak_mib = cpu_s(server.process) - used_s, memory.peak_mib()
        said = talk.result()
        everything = until_heard(hall, MISSED + said, within_s)
        there = until_heard(stayed, said, within_s)
    is_whole = everything.is_all(MISSED + said) and there.is_all(said)
    if not is_whole:
        print(f"  LOST or doubled: {name}: {MISSED} and {said}: {everything}, {there}", flush=True)
    return Return(
        is_whole,
        in_s,
        all_s,
        took_s,
        took_s / viewers * 1000,
        memory.before_mib,
        peak_mib,
        there.p99_ms,
        there.max_ms,
        back.cpu_s / all_s,
    )
