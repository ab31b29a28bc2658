"""Statistics under tests and monitors: arrays in, plain facts out. Nothing here reads a file."""
