"""Endpoints: translate, check, hand over to live."""
