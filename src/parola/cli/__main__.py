"""Lets `python -m parola.cli` do what `parola` does."""

from parola.cli import main

main()
