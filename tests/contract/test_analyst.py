"""What every analyst promises, checked on each of them; Comprehend is a stand-in on loopback."""

from collections.abc import AsyncIterator, Iterator

import pytest

from parola.analysts.comprehend import MAX_BYTES, open_comprehend
from parola.analysts.local import LocalAnalyst
from parola.domain.errors import AnalystFailed
from parola.domain.sentiment import label
from parola.ports import Analyst
from tests.comprehend import Comprehend, comprehend
from tests.stand_ins import aws_environment


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Comprehend]:
    """Amazon Comprehend's place, where botocore finds it."""
    with comprehend() as server:
        for name, value in aws_environment({"COMPREHEND": server.url}).items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(params=["local", "comprehend"])
async def analyst(request: pytest.FixtureRequest) -> AsyncIterator[Analyst]:
    """Each analyst there is."""
    if request.param == "local":
        yield LocalAnalyst()
    else:
        request.getfixturevalue("aws")
        async with open_comprehend() as opened:
            yield opened


@pytest.mark.parametrize(
    ("language", "good", "bad", "plain"),
    [
        ("en-US", "a good talk", "a bad room", "the table has six columns"),
        ("it", "un buon lavoro", "una pessima idea", "la tabella ha sei colonne"),
    ],
)
async def test_each_text_has_its_score(
    analyst: Analyst, language: str, good: str, bad: str, plain: str
) -> None:
    """As many as may be asked at once, in their order, between -1 and 1."""
    assert analyst.knows(language)
    texts = [good, bad, plain, plain, bad] * 5
    scores = await analyst.scores(language, texts)
    found = [label(score) for score in scores if score is not None]
    assert found == ["positive", "negative", "neutral", "neutral", "negative"] * 5
    assert all(-1 <= score <= 1 for score in scores if score is not None)


async def test_any_text_is_scored_or_left_out(analyst: Analyst) -> None:
    """Nothing, signs, half a surrogate pair and a book are no reason to fail."""
    texts = ["", " ", "?!", "good \ud800", "è buono " * MAX_BYTES]
    scores = await analyst.scores("en", texts)
    assert len(scores) == len(texts)
    assert scores[3] is not None
    assert label(scores[3]) == "positive"


def test_no_analyst_knows_every_language(analyst: Analyst) -> None:
    """A language that it cannot read is not asked for."""
    assert not analyst.knows("sw-KE")


async def test_what_aws_refuses_is_one_sentence(aws: Comprehend) -> None:
    """A refusal and an address where nobody listens name the remedy; the next call may work."""
    aws.refusal = "AccessDeniedException"
    async with open_comprehend() as analyst:
        with pytest.raises(AnalystFailed, match=r"AccessDenied.*comprehend:BatchDetectSentiment"):
            await analyst.scores("en", ["a good talk"])
        aws.refusal = ""
        assert await analyst.scores("zh-TW", ["a good talk"])
        assert aws.asked[-1]["LanguageCode"] == "zh-TW"


async def test_where_nobody_listens_it_says_so(
    aws: Comprehend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network is a failure that names network and region, and is tried again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_COMPREHEND", "http://127.0.0.1:1")
    async with open_comprehend() as analyst:
        with pytest.raises(AnalystFailed, match="network"):
            await analyst.scores("en", ["a good talk"])
