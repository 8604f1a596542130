"""Live buffers: the stream as a user has it."""
