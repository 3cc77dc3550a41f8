"""Parola: live captions and transcripts that write down only what was said."""

__version__ = "0.1.0"
