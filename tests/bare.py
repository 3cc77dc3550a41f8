"""Runs `parola` as where only some of its packages are installed.

Run with: python -m tests.bare [EXTRA ...] -- ARGUMENTS. Without an extra there is what
`pip install parola` brings, and nothing else of what this environment has.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import distribution, packages_distributions
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(extras: Sequence[str]) -> set[str]:
    """Return the names of all distributions that parola with these extras brings."""
    found: set[str] = set()
    asked: set[tuple[str, str]] = set()
    to_do = [("parola", extra) for extra in ("", *extras)]
    while to_do:
        name, extra = one = to_do.pop()
        if one in asked:
            continue
        asked.add(one)
        found.add(name)
        for text in distribution(name).requires or ():
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                own = canonicalize_name(wanted.name)
                to_do += [(own, more) for more in ("", *wanted.extras)]
    return found


def hidden_modules(extras: Sequence[str]) -> set[str]:
    """Return the top-level modules that are installed here, and would not be there."""
    there = closure(extras)
    return {
        module
        for module, owners in packages_distributions().items()
        if not there & {str(canonicalize_name(owner)) for owner in owners}
    }


def hide(modules: set[str]) -> None:
    """Let nobody import these modules from now on, nor find that they are there."""

    class Finder(PathFinder):
        @classmethod
        def find_spec(
            cls,
            fullname: str,
            path: Sequence[str] | None = None,
            target: ModuleType | None = None,
        ) -> ModuleSpec | None:
            if fullname.partition(".")[0] in modules:
                return None
            return super().find_spec(fullname, path, target)

    sys.meta_path = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
    for name in [name for name in sys.modules if name.partition(".")[0] in modules]:
        del sys.modules[name]


def main(words: list[str]) -> int:
    """Run parola's command with the words behind "--"."""
    at = words.index("--")
    hide(hidden_modules(words[:at]))

    from parola.cli import run  # noqa: PLC0415 - only now, without what is hidden

    return run(words[at + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
