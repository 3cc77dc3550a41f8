"""Bytes in, events out: the formats that travel, without any I/O."""
