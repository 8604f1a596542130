"""The past: SQL built from checked arguments, read in bounded memory, returned as frames."""
