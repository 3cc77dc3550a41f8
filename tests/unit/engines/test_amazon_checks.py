"""The doctor names what is missing for Amazon Transcribe, and what to do."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from parola.engines.amazon_checks import Check, check_amazon, check_skew
from parola.engines.amazon_settings import AmazonSettings
from tests.unit.engines.amazon_service import Service, running, settings_for


@pytest.fixture(autouse=True)
def _nothing_set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "ACCESS_KEY_ID",
        "SECRET_ACCESS_KEY",
        "SESSION_TOKEN",
        "PROFILE",
        "CA_BUNDLE",
        "REGION",
        "DEFAULT_REGION",
    ):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.what.split(" ", 1)[1].split(" ")[0]: check for check in checks}


async def look(settings: AmazonSettings) -> dict[str, Check]:
    return by_name(await asyncio.to_thread(lambda: list(check_amazon(settings))))


async def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where credentials come from is said, the service answers, and the clocks agree."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "B")
    async with running(Service()) as service:
        found = await look(settings_for(service))
    assert {check.verdict for check in found.values()} == {"ok"}
    assert found["credentials"].found == "from env"
    assert set(found) == {"credentials", "region", "port", "clock"}


async def test_every_lack_has_its_remedy() -> None:
    """No credentials, a region nobody knows, a port that is shut."""
    settings = AmazonSettings(region="xx-nowhere-9", endpoint_url="ws://127.0.0.1:9")
    found = await look(settings)
    assert found["credentials"].verdict == "fail"
    assert "aws sso login" in found["credentials"].remedy
    assert found["region"].verdict == "warn"
    assert found["port"].verdict == "fail"
    assert "port 9" in found["port"].remedy


async def test_a_region_that_does_not_stream_names_others() -> None:
    """Milan, for instance."""
    found = await look(AmazonSettings(region="eu-south-1"))
    assert "eu-central-1" in found["region"].remedy
    assert found["region"].verdict == "fail"


async def test_no_region_at_all_names_where_to_set_it() -> None:
    """Nobody's fault is the credentials' then."""
    found = await look(AmazonSettings())
    assert list(found) == ["region"]
    assert "AWS_REGION" in found["region"].remedy


async def test_the_services_own_clock_counts() -> None:
    """Its answer says the time; ten minutes apart it would refuse every signature."""
    async with running(Service()) as service:
        service.ahead = timedelta(minutes=10)
        found = await look(settings_for(service))
    assert found["clock"].verdict == "fail"
    assert "behind the service's" in found["clock"].found
    assert "set-ntp" in found["clock"].remedy


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "said"),
    [
        (2, "ok", "2 s ahead"),
        (-30, "ok", "30 s behind"),
        (90, "warn", "90 s ahead"),
        (-400, "fail", "behind"),
    ],
)
def test_a_wrong_clock_is_told_before_the_service_refuses_it(
    ahead_s: int, verdict: str, said: str
) -> None:
    """Signatures older than five minutes are refused."""
    now = datetime(2026, 5, 28, 9, 0, tzinfo=UTC)
    check = check_skew(format_datetime(now - timedelta(seconds=ahead_s), usegmt=True), now)
    assert check.verdict == verdict
    assert said in check.found
    assert bool(check.remedy) == (verdict != "ok")


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_service_without_a_date_is_told(date: str | None) -> None:
    """It is no reason to fail."""
    assert check_skew(date, datetime.now(UTC)).verdict == "warn"
