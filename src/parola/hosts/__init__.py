"""Plugs to what the process runs in."""
