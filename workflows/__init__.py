"""The ground floor: the plan, expressions, the scheduling core and the workflows that Temporal runs.

Nothing here reads a clock, a file, a socket, an environment variable or a random source, so that every
history replays. Nothing here imports another of our rooms.
"""
