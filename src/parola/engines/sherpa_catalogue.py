"""The models that can be fetched by name, pinned: what is written here was published upstream.

No number here was measured by us. Error rates were published for the models before they were
converted, and are quoted as found: we could fetch no model to check one. For nearly all archives
no published checksum was found, and none is made up.
"""

from dataclasses import dataclass

RELEASES = "https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models/"
"""Where upstream keeps its archives."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that upstream offers."""

    name: str
    languages: tuple[str, ...]
    """Base languages."""

    size_mb: int | None
    """Of the int8 model as published, None where that was not found."""

    licence: str
    errors: str
    """Published word error rates."""

    source: str
    """Where those stand; empty where there are none."""

    sha256: str = ""
    """Of the archive; empty where no published one was found."""

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"{self.name}.tar.bz2"


_NEMOTRON_LANGUAGES = ("it", "es", "en", "fr")
"""Those it has a published error rate for; its card names more, which a `languages` file adds."""


ICEFALL = "https://github.com/k2-fsa/icefall/blob/master/egs/librispeech/ASR/RESULTS.md"
"""Greedy search in chunks of 320 ms, of the models that upstream's were converted from."""

NVIDIA = "https://huggingface.co/nvidia/nemotron-speech-streaming-en-0.6b"

FLUID = "https://huggingface.co/FluidInference/Nemotron-3.5-ASR-Streaming-Multilingual-0.6b-CoreML"


def _nemotron_en(chunk_ms: int, wer: str) -> Offer:
    return Offer(
        f"sherpa-onnx-nemotron-speech-streaming-en-0.6b-{chunk_ms}ms-int8-2026-04-25",
        ("en",),
        632,
        "NVIDIA Open Model",
        f"{wer} % mean of the Open ASR Leaderboard's sets",
        NVIDIA,
    )


def _zipformer(
    name: str, language: str, size_mb: int | None, licence: str, errors: str, sha256: str = ""
) -> Offer:
    full = f"sherpa-onnx-streaming-zipformer-{name}"
    source = "" if errors == NONE else ICEFALL
    return Offer(full, (language,), size_mb, licence, errors, source, sha256)


NONE = "none published"

_EN_KROKO = "c8676e5ff9ac2a85296e53ee0fd4d5fb1db6770e7a7647166eeafe349ade6834"
"""Pinned alike by several projects independent of each other; we could not fetch the archives."""

_KROKO = "CC-BY-SA"

CATALOGUE: tuple[Offer, ...] = (
    _zipformer(
        "en-2023-06-21",
        "en",
        180,
        "Apache-2.0",
        "2.47 / 6.13 % LibriSpeech clean / other, 11.98 % GigaSpeech",
    ),
    _zipformer(
        "en-2023-06-26",
        "en",
        71,
        "Apache-2.0",
        "3.06 / 7.79 % LibriSpeech clean / other",
    ),
    _zipformer("en-20M-2023-02-17", "en", 44, "Apache-2.0", NONE),
    _zipformer("en-kroko-2025-08-06", "en", 71, _KROKO, NONE, _EN_KROKO),
    _zipformer("es-kroko-2025-08-06", "es", 71, _KROKO, NONE),
    _zipformer("fr-kroko-2025-08-06", "fr", 71, _KROKO, NONE),
    _zipformer("de-kroko-2025-08-06", "de", 71, _KROKO, NONE),
    _zipformer("fr-2023-04-14", "fr", None, "Apache-2.0", NONE),
    _nemotron_en(80, "8.43"),
    _nemotron_en(160, "7.67"),
    _nemotron_en(560, "7.07"),
    _nemotron_en(1120, "6.93"),
    Offer(
        "sherpa-onnx-nemotron-3.5-asr-streaming-0.6b-560ms-int8-2026-06-11",
        _NEMOTRON_LANGUAGES,
        650,
        "OpenMDW-1.1",
        "it 5.68, es 4.95, en 9.43, fr 9.68 % FLEURS, of a port to CoreML",
        FLUID,
    ),
)
"""In the order in which one is preferred where several know a language and nothing else speaks."""


def find(name: str) -> Offer | None:
    """Return the offer of that name, with or without upstream's "sherpa-onnx-" before it."""
    return next((o for o in CATALOGUE if o.name in {name, f"sherpa-onnx-{name}"}), None)


def languages_of(name: str) -> tuple[str, ...]:
    """Return the languages of a folder that has an offer's name; empty where it has none."""
    offer = find(name)
    return offer.languages if offer else ()
