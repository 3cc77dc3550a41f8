"""Recordings in S3, and Amazon Transcribe's batch jobs, against MiniStack; never against AWS."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

import parola
from parola.audio.decode import decode
from parola.beside import beside
from parola.domain.audio import FRAME_BYTES, RATE_HZ, to_frames
from parola.domain.errors import BadAudio, EngineFailed, NoEngine, NotFound, TooLarge
from parola.domain.jobs import Job, Written
from parola.domain.vocabulary import language_tag
from parola.engines.amazon_batch import AmazonBatch
from parola.engines.amazon_batch_events import NoEvents, SqsEvents, job_named_in
from parola.engines.recordings import RecordingProcess
from parola.engines.scripted import marked_audio
from parola.stores.aws import open_aws
from parola.stores.s3 import S3
from parola.wiring_jobs import PROGRAM
from tests.audio_files import wav
from tests.servers import serving
from tests.stand_ins import StandIn
from tests.system.talks import DEADLINE_S, numbers, until
from tests.system.test_jobs import get, send, text_of, watched

SAID = "[ministack mock transcript]"
"""What the stand-in writes down whatever is in the recording: two words a second, for 10 s."""

SPEECH = Path(parola.__file__).parent / "samples" / "talk.ogg"
SPOKEN_S = 12.0
"""So much of it has enough speech for what the stand-in writes."""

SLACK_S = 0.2
"""How far a word may reach out of the speech it is in."""

GATED = {"engine": "scripted", "gate": True}


@pytest.fixture
def aws(ministack: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, where boto3 looks for AWS."""
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    return ministack


@pytest.fixture
def bucket(aws: StandIn) -> str:
    """An empty bucket."""
    name = f"talks-{uuid.uuid4()}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


def keys(aws: StandIn, bucket: str) -> list[str]:
    found = aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in found]


def spoken(seconds: float = SPOKEN_S) -> bytes:
    """Return so much of somebody who speaks, as samples."""
    return pcm_of(SPEECH)[: to_frames(seconds) * FRAME_BYTES]


def pcm_of(file: Path) -> bytes:
    return b"".join(chunk.pcm for chunk in decode(file))


def new_job(**fields: Any) -> Job:  # noqa: ANN401
    return Job(uuid.uuid4().hex, "talk.wav", language_tag("it-IT"), 0, seconds=2.0, **fields)


@asynccontextmanager
async def batch(
    bucket: str, queue: str | None = None, poll_s: float = 0.1
) -> AsyncIterator[AmazonBatch]:
    """Give the transcriber as the wiring makes it, with a pace of its own."""
    here = RecordingProcess(PROGRAM, GATED, 3600.0, lambda _: None)
    async with open_aws("s3") as s3, open_aws("transcribe") as transcribe, open_aws("sqs") as sqs:
        if queue is None:
            yield AmazonBatch(transcribe, S3(s3), bucket, NoEvents(), here, poll_s=poll_s)
            return
        events = SqsEvents(sqs, queue)
        async with beside(events.run()):
            yield AmazonBatch(transcribe, S3(s3), bucket, events, here, poll_s=poll_s)


async def written(by: AmazonBatch, job: Job, file: Path) -> Written:
    # Under whoever else is busy here, a process of the lowest priority may take long.
    async with asyncio.timeout(3 * DEADLINE_S):
        return await by.transcribe(job, file, lambda _: None)


def event_queue(aws: StandIn, *, through_sns: bool) -> str:
    """Return a queue that EventBridge puts the ends of jobs into, straight or through SNS."""
    sqs, name = aws.client("sqs"), f"events-{uuid.uuid4()}"
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    target = asked["Attributes"]["QueueArn"]
    if through_sns:
        sns = aws.client("sns")
        topic = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=target)
        target = topic
    rules = aws.client("events")
    pattern = {"source": ["aws.transcribe"], "detail-type": ["Transcribe Job State Change"]}
    rules.put_rule(Name=name, EventPattern=json.dumps(pattern))
    rules.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target}])
    return url


def by_amazon(aws: StandIn, bucket: str) -> tuple[str, ...]:
    """Return a server's options for having Amazon do the work."""
    queue = event_queue(aws, through_sns=False)
    return ("--engine", "scripted", "--job-bucket", bucket, "--job-events", queue)


async def test_amazon_writes_a_recording_down(aws: StandIn, bucket: str, tmp_path: Path) -> None:
    """An event says when it is over, through EventBridge and SNS; nothing is left in the bucket."""
    file = tmp_path / "recording"
    file.write_bytes(wav(spoken()))
    job = new_job()
    # It is asked once, and then not before the test is long over: only an event can end it.
    async with batch(bucket, event_queue(aws, through_sns=True), poll_s=3600) as amazon:
        found = await written(amazon, job, file)
        assert sorted(keys(aws, bucket)) == [f"parola/{job.id}.in", f"parola/{job.id}.json"]
        await amazon.forget(job)
    assert found.seconds == SPOKEN_S
    assert " ".join(segment.text for segment in found.segments).startswith(SAID)
    assert {segment.language for segment in found.segments} == {"it-IT"}
    assert keys(aws, bucket) == []


async def test_amazon_s_job_is_begun_once(aws: StandIn, bucket: str, tmp_path: Path) -> None:
    """A server that dies while Amazon works finds the job again, and nothing is sent twice."""
    file = tmp_path / "recording"
    file.write_bytes(wav(spoken()))
    job = new_job()
    async with batch(bucket) as amazon:
        first = asyncio.create_task(written(amazon, job, file))
        await until(lambda: amazon._found(f"parola-{job.id}"))
        first.cancel()
    before = await amazon_job(aws, job)
    size = file.stat().st_size
    file.write_bytes(wav(spoken(SPOKEN_S + 1)))  # whoever sends it again sends more
    async with batch(bucket) as amazon:
        found = await written(amazon, job, file)
        sent = aws.client("s3").head_object(Bucket=bucket, Key=f"parola/{job.id}.in")
    assert found.segments
    assert sent["ContentLength"] == size
    assert (await amazon_job(aws, job))["CreationTime"] == before["CreationTime"]


async def amazon_job(aws: StandIn, job: Job) -> dict[str, Any]:
    """Return what Amazon knows of a job."""
    answer = aws.client("transcribe").get_transcription_job(TranscriptionJobName=f"parola-{job.id}")
    return dict(answer["TranscriptionJob"])


async def test_what_amazon_cannot_read_is_told(aws: StandIn, bucket: str, tmp_path: Path) -> None:
    """A recording that is not there fails with Amazon's reason; a language before any of it."""
    async with batch(bucket) as amazon:
        with pytest.raises(BadAudio, match="can't be accessed"):
            await written(amazon, new_job(source=f"s3://{bucket}/none.wav"), tmp_path / "x")
        with pytest.raises(NoEngine, match="tlh"):
            amazon.check(language_tag("tlh"))
        amazon.check(language_tag("it-IT"))


async def test_a_server_has_amazon_write_uploads_down(
    aws: StandIn, bucket: str, tmp_path: Path
) -> None:
    """With a bucket the work is Amazon's, from the upload to the text, and it leaves nothing."""
    with serving(tmp_path / "data", *by_amazon(aws, bucket)) as server:
        answer = await send(server, wav(spoken()), name="talk.wav", language="it-IT")
        job_id = answer.json()["id"]
        assert (await watched(server, job_id))[-1]["status"] == "done"
        async with httpx.AsyncClient(base_url=server.url) as client:
            text = text_of(await client.get(f"/api/jobs/{job_id}/transcript.json"))
        refused = await send(server, wav(bytes(64_000)), language="tlh")
    assert text.startswith(SAID)
    assert (refused.status_code, refused.json()["code"]) == (422, "no_engine")
    assert keys(aws, bucket) == []


async def test_amazon_s_words_without_speech_are_withheld(
    aws: StandIn, bucket: str, tmp_path: Path, recordings: Path
) -> None:
    """A real voice and then real rain: words over the voice are text, those over the rain are not.

    The recording lies in S3, where the server has to fetch it to know. The words are counted in
    the job and told to the operator, with the reason.
    """
    voice = pcm_of(recordings / "speech" / "librivox-0870.wav")
    rain = pcm_of(recordings / "nonspeech" / "esc-rain-1-29561-A-10.wav")
    rain_s = len(voice) / FRAME_BYTES / RATE_HZ
    aws.client("s3").put_object(Bucket=bucket, Key="1.wav", Body=wav(voice + rain))
    options = (*by_amazon(aws, bucket), "--job-source", bucket)
    with serving(tmp_path / "data", *options) as server:
        answer = await send(server, b"", source=f"s3://{bucket}/1.wav")
        job = (await watched(server, answer.json()["id"]))[-1]
        path = f"/api/jobs/{job['id']}"
        (talk,) = (await get(server, f"{path}/transcript.json")).json()["sessions"]
        told = (await get(server, f"{path}/withheld")).json()["withheld"]
    words = [word for segment in talk["segments"] for word in segment["words"]]
    assert words[0]["text"] == "[ministack"
    assert len(words) > 10
    assert max(word["start_s"] for word in words) < rain_s + SLACK_S
    (piece,) = told
    assert (piece["reason"], piece["engine"]) == ("no speech", "amazon")
    assert piece["text"].endswith("on the audio")
    assert job["withheld_words"] == len(piece["text"].split()) > 3
    assert list((tmp_path / "data" / "jobs").iterdir()) == []


async def test_where_nobody_speaks_amazon_is_not_believed(bucket: str, recordings: Path) -> None:
    """Whatever it writes over a real recording without speech, there is no text."""
    file = recordings / "nonspeech" / "esc-sneezing-5-202220-A-21.wav"
    async with batch(bucket) as amazon:
        found = await written(amazon, new_job(), file)
    assert found.segments == ()
    assert " ".join(piece.text for piece in found.withheld).startswith(SAID)


async def test_over_silence_a_word_is_shown_only_without_a_gate(tmp_path: Path) -> None:
    """`--no-gate` holds for recordings as it does for rooms."""
    file = tmp_path / "recording"
    file.write_bytes(wav(bytes(64_000)))
    word = {"content": "ciao", "confidence": "0.9"}
    item = {"type": "pronunciation", "start_time": "0.5", "end_time": "1", "alternatives": [word]}
    text = json.dumps({"results": {"items": [item]}}).encode()
    for gate, shown, withheld in ((True, [], ["ciao"]), (False, ["ciao"], [])):
        here = RecordingProcess(PROGRAM, {**GATED, "gate": gate}, 3600.0, lambda _: None)
        found = await here.prove(new_job(), file, text, lambda _: None)
        assert [segment.text for segment in found.segments] == shown
        assert [piece.text for piece in found.withheld] == withheld
        assert found.seconds == 2.0


async def test_a_text_that_cannot_be_weighed_is_not_shown(bucket: str, tmp_path: Path) -> None:
    """Without the sound, or with a text that is none, the job fails and says why."""
    here = RecordingProcess(PROGRAM, GATED, 3600.0, lambda _: None)
    file = tmp_path / "recording"
    with pytest.raises(NotFound, match="not here any more"):
        await here.prove(new_job(), file, b"{}", lambda _: None)
    file.write_bytes(wav(spoken(0.1)))
    with pytest.raises(EngineFailed, match="cannot be read"):
        await here.prove(new_job(), file, b"{}", lambda _: None)
    file.write_bytes(b"#EXTM3U")
    with pytest.raises(BadAudio):
        await here.prove(new_job(), file, b'{"results":{"items":[]}}', lambda _: None)


async def test_a_recording_in_s3_is_fetched(aws: StandIn, bucket: str, tmp_path: Path) -> None:
    """From a bucket that the operator has named, and from no other; it stays where it was."""
    aws.client("s3").put_object(
        Bucket=bucket, Key="lunedì/1.wav", Body=wav(marked_audio(range(30)))
    )
    options = ("--engine", "scripted", "--job-source", bucket)
    with serving(tmp_path / "data", *options) as server:
        job = (await send(server, b"", source=f"s3://{bucket}/lunedì/1.wav")).json()
        told = await watched(server, job["id"])
        assert (told[-1]["status"], told[-1]["name"]) == ("done", "1.wav")
        async with httpx.AsyncClient(base_url=server.url) as client:
            path = f"/api/jobs/{job['id']}/transcript.json"
            assert text_of(await client.get(path)) == numbers(0, 30)
        job = (await send(server, b"", source=f"s3://{bucket}/none.wav")).json()
        failed = (await watched(server, job["id"]))[-1]["error"]
        assert failed["code"] == "not_found"
        assert "check bucket and key" in failed["message"]
        for source in ("s3://other/1.wav", "https://example.com/1.wav", f"s3://{bucket}"):
            assert (await send(server, b"", source=source)).json()["code"] == "bad_message"
    assert keys(aws, bucket) == ["lunedì/1.wav"]
    assert list((tmp_path / "data" / "jobs").iterdir()) == []


async def test_a_recording_in_s3_may_be_too_large(
    aws: StandIn, bucket: str, tmp_path: Path
) -> None:
    """What is over the limit is not fetched to its end."""
    aws.client("s3").put_object(Bucket=bucket, Key="large", Body=bytes(3 * 2**20))
    async with open_aws("s3") as client:
        with pytest.raises(TooLarge, match="1 MB"):
            await S3(client).fetch(f"s3://{bucket}/large", tmp_path / "x", 2**20)
        with pytest.raises(TooLarge):
            await S3(client).read(f"s3://{bucket}/large", 2**20)


class Denies(BaseHTTPRequestHandler):
    """An S3 that lets nobody in, as AWS words it."""

    def do_GET(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


async def test_a_bucket_that_may_not_be_read_is_told(
    aws: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says whose right is missing."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Denies) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        async with open_aws("s3") as client:
            with pytest.raises(NotFound, match="give the server's role the right to it"):
                await S3(client).fetch("s3://talks/monday.mp4", tmp_path / "x", 100)
        server.shutdown()


@pytest.mark.parametrize(
    "body",
    ["", "[]", "7", '{"detail":7}', '{"Message":"no"}', '{"detail":{"TranscriptionJobName":7}}'],
)
def test_what_is_no_event_is_nothing(body: str) -> None:
    """Anybody's words in the queue change nothing."""
    assert job_named_in(body) is None
