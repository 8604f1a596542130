"""What a chart shows, as plain arrays: frames in, descriptions out. Nothing here draws, and nothing here imports matplotlib."""
