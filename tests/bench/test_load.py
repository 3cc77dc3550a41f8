"""The load's viewers count right, and its tools tell of a loss."""

from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from bench import fanout
from bench.load import trouble
from bench.load.crowd import Medium, crowd
from bench.load.measure import measure, spread, until_heard, verdict
from bench.load.nchan import MODULE, nchan
from bench.load.systems import Setting, certified, ours
from bench.load.trouble import stretch
from tests.bench.careless import Mistake, careless
from tests.broker import all_there_or_not

VIEWERS = 5
LOST_AFTER_S = 0.5


def _needs_headers(*, tls: bool) -> None:
    there = not tls or Path("/usr/include/openssl/ssl.h").exists()
    all_there_or_not(None if there else "no libssl-dev here (make test installs it)")


@pytest.fixture(params=get_args(Medium))
def medium(request: pytest.FixtureRequest) -> Medium:
    chosen: Medium = request.param
    return chosen


@pytest.mark.parametrize("tls", [False, True])
def test_every_caption_is_counted_once(medium: Medium, *, tls: bool) -> None:
    """Each viewer of a server that makes no mistake has all of it, in the clear and over TLS."""
    _needs_headers(tls=tls)
    serve = partial(careless, mistake="none")
    with certified(tls=tls) as certificate:
        setting = Setting(1, medium, certificate=certificate)
        run = measure("careful", serve, setting, VIEWERS, 1.0)
    assert run.is_whole, run
    assert run.heard.deliveries == run.said * VIEWERS
    assert 0 < run.heard.p50_ms <= run.heard.p99_ms < 10_000


@pytest.mark.parametrize("mistake", ["loses", "doubles", "loses and doubles", "cuts off"])
def test_one_mistake_for_one_viewer_is_told(
    medium: Medium, mistake: Mistake, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a lost caption and a doubled one give the right count."""
    serve = partial(careless, mistake=mistake)
    run = measure("careless", serve, Setting(1, medium), VIEWERS, 1.0, LOST_AFTER_S)
    assert not run.is_whole
    assert "LOST or doubled: careless" in capsys.readouterr().out


def test_a_loss_in_trouble_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Who stopped reading is not asked; of the others each one counts."""
    with careless(Setting(1), "none") as server:
        run, _ = stretch(server, 40, 1.0, is_rough=True)
        assert run.is_whole, run
        assert run.heard.deliveries == 38 * run.said
    capsys.readouterr()
    with careless(Setting(1), "loses") as server:
        run, _ = stretch(server, 10, 1.0, is_rough=False, within_s=LOST_AFTER_S)
        assert not run.is_whole
    assert "LOST" in capsys.readouterr().out


def test_viewers_that_are_refused_say_so(capfd: pytest.CaptureFixture[str]) -> None:
    """They do not count as viewers who hear nothing."""
    with (
        careless(Setting(1), "refuses") as server,
        crowd(server.entrance, 1, 3) as hall,
        pytest.raises(RuntimeError, match="could not connect"),
    ):
        hall.until_ready()
    assert "refused: HTTP/1.1 403 Forbidden" in capfd.readouterr().err


@pytest.mark.parametrize("tls", [False, True])
def test_nchan_speaks_to_the_same_viewers(medium: Medium, *, tls: bool) -> None:
    """It is what ours is measured beside."""
    there = MODULE.exists()
    all_there_or_not(None if there else "no nginx with nchan here (make test installs it)")
    _needs_headers(tls=tls)
    with certified(tls=tls) as certificate:
        setting = Setting(2, medium, certificate=certificate)
        assert measure("nchan", nchan, setting, 10, 0.5).is_whole


def test_our_server_in_trouble_loses_nothing() -> None:
    """Viewers stop, reload and send rubbish; the others are on WebSockets over TLS."""
    _needs_headers(tls=True)
    with (
        certified(tls=True) as certificate,
        ours(Setting(1, certificate=certificate)) as server,
    ):
        run, _ = stretch(server, 40, 1.5, is_rough=True)
    assert run.is_whole, run


def test_the_storm_ends_with_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Our server gives a hall that reads events all that it has missed, and what comes."""
    monkeypatch.setattr(trouble, "TALK_S", 2.0)
    assert trouble.storm(Setting(1, "events"), 60, 1, 0.0)
    assert "everybody has every caption once: yes" in capsys.readouterr().out


@pytest.mark.parametrize("mistake", ["none", "loses", "doubles"])
def test_a_loss_in_a_storm_is_told(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of those who stayed too."""
    monkeypatch.setattr(trouble, "MISSED", 0)
    with careless(Setting(1), mistake) as server, crowd(server.entrance, 1, 3) as stayed:
        stayed.until_ready()
        until_heard(stayed, server.say(1.0, 1.0))
        stayed.heard("reset")
        server.awaited = 6
        back = trouble.come_back(server, stayed, 3, "a storm", 0.0, LOST_AFTER_S)
    assert back.is_whole == (mistake == "none")
    assert ("LOST" in capsys.readouterr().out) == (mistake != "none")


@pytest.mark.parametrize(("mistake", "word"), [("none", "yes"), ("doubles", "NO")])
def test_the_page_of_faults_ends_with_a_verdict(
    mistake: Mistake,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both runs are held against each other, and both have to be whole."""
    monkeypatch.setattr(trouble, "ours", partial(careless, mistake=mistake))
    is_whole = trouble.faults(Setting(1), 20, 1.0, 1)
    said = capsys.readouterr().out
    assert is_whole == (word == "yes"), said
    assert "p99 × undisturbed, median: " in said
    assert f"healthy viewers lost nothing and had nothing twice: {word}" in said


@pytest.mark.parametrize(("mistake", "word"), [("none", "yes"), ("doubles", "NO")])
def test_the_bench_of_deliveries_ends_with_a_verdict(
    mistake: Mistake,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its answer is whether everything was there; a goal that was missed is only named."""
    monkeypatch.setattr(fanout, "SYSTEMS", {"shared bytes": partial(careless, mistake=mistake)})
    found = fanout.compare(["shared bytes"], Setting(1), [(1, VIEWERS)], 1.0, 1)
    assert found == (word == "yes")
    assert f"everybody had every caption once: {word}" in capsys.readouterr().out


def test_figures_are_the_least_the_middle_and_the_most() -> None:
    """A median that misses its goal says so."""
    assert spread([3.0, 1.0, 2.0]) == "1.00 / 2.00 / 3.00"
    assert verdict("p95 ms", 2.0, 2.0).endswith("reached")
    assert verdict("p95 ms", 2.01, 2.0).endswith("MISSED")
