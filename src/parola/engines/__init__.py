"""Recognisers, each a plug behind the ports."""
