"""A vocabulary is built once for all the streams that need it."""

from pathlib import Path

import pytest

from parola.domain.terms import Terms
from parola.engines import pocketsphinx_shelf
from parola.engines.pocketsphinx_lexicon import Entry, Lexicon
from parola.engines.pocketsphinx_shelf import Shelf

ADA = Terms(("Ada Lovelace",), "Notes on the Analytical Engine.")


class Builder:
    """Builds a vocabulary of one entry, and remembers of what."""

    def __init__(self) -> None:
        self.built: list[Terms] = []

    def __call__(self, terms: Terms) -> Lexicon:
        self.built.append(terms)
        words = tuple(terms.phrases[0].split())
        return Lexicon([Entry(words, tuple(("EY", "D") for _ in words), 3e-4)])


def test_the_same_terms_are_built_once(tmp_path: Path) -> None:
    """Another shelf over the folder, as in another worker, gives the very same entries."""
    build = Builder()
    first = Shelf(tmp_path).find(ADA, build)
    again = Shelf(tmp_path).find(Terms(tuple(ADA.phrases), ADA.text), build)
    assert build.built == [ADA]
    assert again.entries == first.entries


@pytest.mark.parametrize(
    "other", [Terms(ADA.phrases, "Another text."), Terms(("Ada", "Lovelace"), ADA.text)]
)
def test_other_terms_are_built_anew(tmp_path: Path, other: Terms) -> None:
    """Whatever changes in what is known of a talk changes its vocabulary."""
    build = Builder()
    for terms in (ADA, other):
        Shelf(tmp_path).find(terms, build)
    assert build.built == [ADA, other]


def test_a_damaged_file_or_no_folder_costs_only_time(tmp_path: Path) -> None:
    """What cannot be read is built again; what cannot be kept is used all the same."""
    build = Builder()
    Shelf(tmp_path).find(ADA, build)
    for kept in tmp_path.iterdir():
        kept.write_text("[[")
    assert Shelf(tmp_path).find(ADA, build).entries
    assert Shelf(tmp_path / "gone").find(ADA, build).entries
    assert len(build.built) == 3


def test_the_shelf_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabulary that was used longest ago goes first."""
    monkeypatch.setattr(pocketsphinx_shelf, "MOST", 2)
    build = Builder()
    shelf = Shelf(tmp_path)
    for name in ("A", "B", "A", "C"):
        shelf.find(Terms((name,)), build)
    assert len(list(tmp_path.iterdir())) == 2
    shelf.find(Terms(("A",)), build)
    assert [terms.phrases[0] for terms in build.built] == ["A", "B", "C"]
