"""The audio client: sends sound to a room, needs nothing of the server."""
