"""`parola serve`: one option for each setting."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from parola.cli.outcome import server_part

# Nothing here has a default of its own: what is not given comes from PAROLA_… in the environment,
# then from `parola.wiring.Settings`. A test compares names, defaults and help with that class.


def serve(  # noqa: PLR0913, PLR0917 - one for each setting
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        list[int] | None,
        typer.Option(
            help="Ports to listen on; 0 takes a free one. Older clients expect 3000, 8080.",
            show_default="8000",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder for all that is kept: log, uploads, recordings.",
            show_default="parola-data",
        ),
    ] = None,
    wait_for_data_s: Annotated[
        float | None,
        typer.Option(
            help="Seconds to wait for a data folder that another server holds.", show_default="0.0"
        ),
    ] = None,
    keep_transcripts_days: Annotated[
        float | None,
        typer.Option(
            help="Days after which talks are deleted, for good; unless said: never.",
            show_default="none",
        ),
    ] = None,
    engine: Annotated[
        Literal["auto", "amazon", "sherpa", "pocketsphinx", "scripted"] | None,
        typer.Option(
            help="Recogniser: auto takes the best one available for the language.",
            show_default="auto",
        ),
    ] = None,
    amazon: Annotated[
        Path | None,
        typer.Option(
            help="File with Amazon Transcribe's settings; with it, auto uses Amazon.",
            show_default="none",
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of sherpa's models; without it, models in the data folder.",
            show_default="none",
        ),
    ] = None,
    max_rtf: Annotated[
        float | None,
        typer.Option(
            help="Seconds sherpa may take for a second of sound; more is refused.",
            show_default="0.7",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language where none is asked for.", show_default="en-US")
    ] = None,
    gate: Annotated[
        bool | None,
        typer.Option(
            "--gate/--no-gate",
            help="Voice detection before the engine. Off, noise turns into words.",
            show_default="on",
        ),
    ] = None,
    send_silence: Annotated[
        bool | None,
        typer.Option(
            "--send-silence/--no-send-silence",
            help="Send the engine silence where nobody speaks; off, nothing is sent.",
            show_default="on",
        ),
    ] = None,
    max_upload_mb: Annotated[
        int | None, typer.Option(help="Largest recording taken, in MiB.", show_default="2048")
    ] = None,
    keep_uploads_h: Annotated[
        float | None,
        typer.Option(help="Hours an uploaded recording is kept.", show_default="24.0"),
    ] = None,
    max_sessions: Annotated[
        int | None, typer.Option(help="Talks recognised at the same time.", show_default="32")
    ] = None,
    stream_pace: Annotated[
        Literal["fast", "realtime"] | None,
        typer.Option(
            help="Pace of files named on /stream: the engine's, or the clock's.",
            show_default="fast",
        ),
    ] = None,
    stop_within_s: Annotated[
        float | None,
        typer.Option(
            help="Seconds for the last finals when the server is stopped.", show_default="10.0"
        ),
    ] = None,
    pipeline_queue: Annotated[
        str | None,
        typer.Option(
            help="URL of the Amazon SQS queue that finals are sent on to.", show_default="none"
        ),
    ] = None,
    pipeline_table: Annotated[
        str | None,
        typer.Option(
            help="Amazon DynamoDB table that conversations are read from, on any node.",
            show_default="none",
        ),
    ] = None,
    jobs_at_once: Annotated[
        int | None,
        typer.Option(
            help="Recordings written down in the background at the same time.", show_default="1"
        ),
    ] = None,
    max_jobs: Annotated[
        int | None,
        typer.Option(help="Recordings that may wait to be written down.", show_default="50"),
    ] = None,
    max_job_h: Annotated[
        float | None,
        typer.Option(help="Hours that such a recording may last.", show_default="12.0"),
    ] = None,
    keep_jobs_h: Annotated[
        float | None,
        typer.Option(help="Hours that the text of such a one is kept.", show_default="168.0"),
    ] = None,
    job_source: Annotated[
        list[str] | None,
        typer.Option(
            help="Amazon S3 buckets that recordings may be fetched from.", show_default="none"
        ),
    ] = None,
    job_bucket: Annotated[
        str | None,
        typer.Option(
            help="Amazon S3 bucket for Amazon Transcribe's batch jobs, which do the work then.",
            show_default="none",
        ),
    ] = None,
    job_events: Annotated[
        str | None,
        typer.Option(
            help="URL of an Amazon SQS queue that says when such a job is over.",
            show_default="none",
        ),
    ] = None,
    webhook_secret: Annotated[
        str | None,
        typer.Option(
            help="What webhooks are signed with: whsec_ and base64. Better as a variable.",
            show_default="none",
        ),
    ] = None,
    webhook_network: Annotated[
        list[str] | None,
        typer.Option(
            help="Private networks that webhooks may be in; else they are on the internet.",
            show_default="none",
        ),
    ] = None,
    sentiment: Annotated[
        Literal["local", "comprehend", "off"] | None,
        typer.Option(
            help="Who reads how lines sound: word lists here, Amazon, or nobody.",
            show_default="local",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Broker that several nodes share, redis://… or rediss://…; it keeps the logs.",
            show_default="none",
        ),
    ] = None,
    node: Annotated[
        str | None,
        typer.Option(
            help="This node's name among several; else the computer's.", show_default="none"
        ),
    ] = None,
    cluster_lease_s: Annotated[
        float | None,
        typer.Option(
            help="Seconds after which another node may take a dead one's rooms.",
            show_default="10.0",
        ),
    ] = None,
    open: Annotated[  # noqa: A002 - the option's name
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Whether nobody needs a token. Unless said: yes on loopback, no elsewhere.",
            show_default="none",
        ),
    ] = None,
    public_reading: Annotated[
        bool | None,
        typer.Option(
            "--public-reading/--no-public-reading",
            help="Whether everybody may read, and only the rest takes a token.",
            show_default="off",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            help="Proxies whose X-Forwarded headers are believed: addresses or networks.",
            show_default="none",
        ),
    ] = None,
    max_per_address: Annotated[
        int | None,
        typer.Option(
            help="Sockets that one address may have; a hall may be one address.",
            show_default="500",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            help="Certificate chain in PEM; with it, the server speaks TLS.", show_default="none"
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="The certificate's key in PEM.", show_default="none")
    ] = None,
) -> None:
    """Serve rooms: take sound in, show captions, keep transcripts. Ctrl+C ends it in order."""
    given = {name: value for name, value in locals().items() if value is not None}
    with server_part():
        from parola.cli import serving  # noqa: PLC0415 - needs the server's extra
    serving.serve(serving.read_settings(given))
