"""The live stream: its protocol, its messages in memory, and the socket between."""
