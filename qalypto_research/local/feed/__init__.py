"""The stand-in for the service's stream: an archive or a recorded log, played message by message over a WebSocket."""
