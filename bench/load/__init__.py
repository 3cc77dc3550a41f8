"""Many viewers on loopback, and a server to try them on."""
