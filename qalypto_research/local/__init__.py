"""The stand-in for the service: the generator of synthetic markets."""
