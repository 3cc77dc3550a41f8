"""Finds credentials, region and address the way AWS's own tools do, and signs with them.

Everything here that blocks (files, the container's and the machine's metadata, SSO, STS) runs in a
thread with a deadline. botocore is imported when it is used: other engines do without it.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from parola.domain.errors import EngineFailed, ParolaError
from parola.engines.amazon_errors import INSTALL, RegionRefused, hopeless
from parola.engines.amazon_settings import AmazonSettings
from parola.wire.transcribe import (
    StreamParameters,
    endpoint_url,
    has_streaming,
    nearest_streaming,
    to_query,
)

PATH = "/stream-transcription-websocket"

EXPIRES_S = 300
"""How long a signed address is good. The service refuses longer, and so botocore's default."""

METADATA_S = 0.7
"""How long the machine's own metadata may take to answer; it is asked where nothing is configured,
and on a laptop nobody answers."""

FAILED_S = 1.0
"""For so long a failed look-up is not tried again."""

NO_CREDENTIALS = (
    "No AWS credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a "
    "profile with AWS_PROFILE, run `aws sso login`, or give the machine an IAM role."
)

NO_REGION = "No AWS region is set. Set AWS_REGION, for instance to eu-central-1."


@dataclass(frozen=True, slots=True)
class Found:
    """What the look-up found."""

    credentials: Any
    """botocore's; they may renew themselves."""

    region: str
    url: str
    """Where the WebSocket is, https or http as botocore signs it, without a query."""

    ca_bundle: str | None = None
    """A file of certificates to trust instead of the system's."""

    @property
    def source(self) -> str:
        """Where the credentials come from, in botocore's word: such as "env" or "iam-role"."""
        return str(self.credentials.method)


T = TypeVar("T")


class Access:
    """Looks up once, keeps what it found, and signs an address for every stream."""

    def __init__(self, settings: AmazonSettings, clock: Callable[[], float]) -> None:
        """Take the settings and a clock in seconds that does not go back."""
        self._settings = settings
        self._clock = clock
        self._found: Found | None = None
        self._trust: ssl.SSLContext | None = None
        self._failure: tuple[float, ParolaError] | None = None
        self._looking = asyncio.Lock()

    def forget(self) -> None:
        """Look everything up anew for the next stream."""
        self._found = None

    async def find(self) -> Found:
        """Return credentials, region and address.

        Raises:
            NoEngine: something is not configured; the message names the remedy.
            EngineFailed: the look-up took too long.
        """
        async with self._looking:
            if self._found is None:
                self._refuse_again()
                try:
                    self._found = await self._look_up()
                except ParolaError as error:
                    self._failure = self._clock(), error
                    raise
            return self._found

    async def _look_up(self) -> Found:
        found = await self._in_time(lambda: look_up(self._settings))
        if found.credentials is None:
            found = replace(found, credentials=await self._of_the_machine())
        self._trust = await self._in_time(lambda: trust(found))
        return found

    def _refuse_again(self) -> None:
        """Answer whoever waited for a failed look-up with its error: 25 in a row take too long."""
        if self._failure and self._clock() - self._failure[0] < FAILED_S:
            error = self._failure[1]
            raise type(error)(error.message)

    async def address(self, asked: StreamParameters) -> tuple[str, ssl.SSLContext | None]:
        """Return a signed address and what to trust there.

        What the address holds of the credentials does not change any more.

        Raises:
            NoEngine, EngineFailed: as in `find`, and when credentials cannot be renewed.
        """
        found = await self.find()
        return await self._in_time(lambda: sign(found, asked)), self._trust

    async def _of_the_machine(self) -> Any:  # noqa: ANN401 - botocore has no types
        """Return the credentials of this machine's role; having none must be told at once."""
        try:
            async with asyncio.timeout(METADATA_S):
                found = await asyncio.to_thread(of_machine, self._settings)
        except TimeoutError:
            found = None
        if found is None:
            raise hopeless(NO_CREDENTIALS)
        return found

    async def _in_time(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._settings.credentials_s):
                return await asyncio.to_thread(work)
        except TimeoutError:
            raise EngineFailed(
                f"AWS credentials were not there within {self._settings.credentials_s:g} s. See "
                "what takes so long with `aws sts get-caller-identity`."
            ) from None


def look_up(settings: AmazonSettings) -> Found:
    """Return what is configured; credentials are None where only the machine could have some.

    Blocks.

    Raises:
        NoEngine: botocore is not installed; profile, region or configuration cannot be used.
    """
    with _translated():
        session = _session(settings)
        # The machine's metadata is asked by itself, with a deadline of its own.
        chain = session.get_component("credential_provider")
        chain.remove("iam-role")
        credentials = chain.load_credentials()
        if credentials:
            # Some say only now that they have run out, for instance those of SSO.
            credentials.get_frozen_credentials()
        # Of AWS's tools only botocore does without AWS_REGION: it knows AWS_DEFAULT_REGION alone.
        region = (
            settings.region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
        )
        url = settings.endpoint_url or _configured_url(session)
        ca_bundle = session.get_config_variable("ca_bundle")
    if not region:
        raise RegionRefused(NO_REGION)
    if not url and has_streaming(region) is False:
        others = ", ".join(nearest_streaming(region))
        raise RegionRefused(
            f"Amazon Transcribe does not stream in {region}. Set AWS_REGION to {others}."
        )
    return Found(credentials, region, _signable(url or endpoint_url(region)), ca_bundle)


def of_machine(settings: AmazonSettings) -> Any:  # noqa: ANN401 - botocore has no types
    """Return the credentials of the machine's IAM role, or None. Blocks for up to two seconds."""
    with _translated():
        chain = _session(settings).get_component("credential_provider")
        return chain.get_provider("iam-role").load()


def sign(found: Found, asked: StreamParameters) -> str:
    """Return the WebSocket's address with parameters and signature. Blocks while keys are renewed.

    Raises:
        NoEngine: the credentials cannot be renewed.
    """
    with _translated():
        auth, request = import_module("botocore.auth"), import_module("botocore.awsrequest")
        # Frozen: a renewal between reading key and secret would mix two pairs.
        frozen = found.credentials.get_frozen_credentials()
        query = urlencode(to_query(asked), quote_via=quote)
        signed = request.AWSRequest("GET", f"{found.url}?{query}")
        auth.SigV4QueryAuth(frozen, "transcribe", found.region, EXPIRES_S).add_auth(signed)
    return re.sub("^http", "ws", str(signed.url))


def trust(found: Found) -> ssl.SSLContext | None:
    """Return what TLS connections trust, None for a plain address. Blocks (reads files).

    Raises:
        NoEngine: the file of certificates cannot be read.
    """
    if not found.url.startswith("https"):
        return None
    try:
        return ssl.create_default_context(cafile=found.ca_bundle)
    except OSError as error:
        raise hopeless(
            f"The certificates in {found.ca_bundle} cannot be read ({error}): "
            "correct AWS_CA_BUNDLE."
        ) from error


def _session(settings: AmazonSettings) -> Any:  # noqa: ANN401 - botocore has no types
    return import_module("botocore.session").Session(profile=settings.profile)


def _configured_url(session: Any) -> str | None:  # noqa: ANN401 - botocore has no types
    """Return AWS_ENDPOINT_URL_TRANSCRIBE_STREAMING, or what the profile says, as botocore does."""
    provider = import_module("botocore.configprovider").ConfiguredEndpointProvider(
        session.full_config, session.get_scoped_config(), "transcribe-streaming"
    )
    found = provider.provide()
    return str(found) if found else None


def _signable(url: str) -> str:
    """Return an address as https or http, with the service's path.

    Raises:
        NoEngine: it is not an address.
    """
    scheme, host, path, _, _ = urlsplit(url)
    secure = {"wss": "https", "ws": "http"}.get(scheme, scheme)
    if secure not in {"https", "http"} or not host:
        raise hopeless(
            f"{url!r} is not an address of Amazon Transcribe: write wss://host:port or ws://…"
        )
    path = path.rstrip("/")
    return urlunsplit((secure, host, path if path.endswith(PATH) else path + PATH, "", ""))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn botocore's errors into ours."""
    try:
        exceptions = import_module("botocore.exceptions")
    except ModuleNotFoundError as error:
        raise hopeless(INSTALL) from error
    try:
        yield
    except exceptions.ProfileNotFound as error:
        raise hopeless(f"{error}. Choose one that `aws configure list-profiles` names.") from None
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        silent = (exceptions.HTTPClientError, exceptions.MetadataRetrievalError)
        # A container's silence comes wrapped in the error for every lack of credentials.
        if isinstance(error, silent) or isinstance(error.__context__, silent):
            said = f"Where AWS credentials come from does not answer: {error}"
            raise EngineFailed(said) from error
        raise _cannot_be_had(error) from error
    except RuntimeError as error:
        # botocore's class for credentials that were renewed and are still too old (1.44.5).
        if "expired" not in str(error):
            raise
        raise _cannot_be_had(error) from error


def _cannot_be_had(error: Exception) -> ParolaError:
    return hopeless(
        f"AWS credentials cannot be had: {str(error).rstrip('.')}. Try `aws sts "
        "get-caller-identity`, which uses the same ones, or run `aws sso login`."
    )
