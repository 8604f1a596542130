"""Charts that follow a live buffer: what to send, one painter for all, and two ways to show it."""
