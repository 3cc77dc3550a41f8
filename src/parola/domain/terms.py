"""The talk's own words: one input for every engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of a talk before it begins."""

    phrases: tuple[str, ...] = ()
    """Names and terms as people write them, the most important first."""

    text: str = ""
    """Running text in the talk's language: title, abstract, slides."""

    def __bool__(self) -> bool:
        """Return whether anything is known."""
        return bool(self.phrases or self.text)

    def joined(self, others: "Terms") -> "Terms":
        """Return these terms, and after them what others add."""
        phrases = tuple(dict.fromkeys((*self.phrases, *others.phrases)))
        return Terms(phrases, "\n".join(filter(None, (self.text, others.text))))
