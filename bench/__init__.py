"""One command per published figure; each prints a ratio against a peer or a limit."""
