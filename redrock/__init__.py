"""RedRock: a Redis-compatible server that holds more data than memory."""
