"""The running system, free of transports: rooms, sessions, what is shown and saved."""
