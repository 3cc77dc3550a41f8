"""Plugs that read how a line sounds and what it is for; none of them writes any text."""
