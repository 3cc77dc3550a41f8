"""Where Amazon Transcribe can be reached, and in which regions it streams.

The tables are those of botocore 1.44.5 (`data/endpoints.json`, 2026-11). AWS adds regions more
often than it removes them: a region that is in neither table may stream by now.
"""

STREAMING_REGIONS = frozenset(
    {
        "af-south-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-5",
        "ap-southeast-7",
        "ca-central-1",
        "cn-north-1",
        "cn-northwest-1",
        "eu-central-1",
        "eu-central-2",
        "eu-west-1",
        "eu-west-2",
        "eusc-de-east-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-gov-east-1",
        "us-gov-west-1",
        "us-west-2",
    }
)
"""Regions with Amazon Transcribe Streaming."""

REGIONS_WITHOUT_STREAMING = frozenset(
    {
        "ap-east-1",
        "eu-north-1",
        "eu-south-1",
        "eu-west-3",
        "me-south-1",
        "us-west-1",
    }
)
"""Regions that transcribe files and do not stream; Milan (eu-south-1) does neither."""

_DOMAINS = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}


def has_streaming(region: str) -> bool | None:
    """Return whether a region streams; None where the tables do not know it."""
    if region in STREAMING_REGIONS:
        return True
    return False if region in REGIONS_WITHOUT_STREAMING else None


def endpoint_host(region: str) -> str:
    """Return the name of the machine that streams in a region."""
    domain = _DOMAINS.get(region.split("-", 1)[0], "amazonaws.com")
    return f"transcribestreaming.{region}.{domain}"


def endpoint_url(region: str) -> str:
    """Return where a region's WebSocket is, without the query; it listens on port 8443."""
    return f"wss://{endpoint_host(region)}:8443/stream-transcription-websocket"


def nearest_streaming(region: str) -> tuple[str, ...]:
    """Return regions to name as a remedy: streaming ones that start with the same letters."""
    area = region.split("-", 1)[0]
    return tuple(sorted(r for r in STREAMING_REGIONS if r.split("-", 1)[0] == area))
