"""Runs plans in memory: the production core and translator, with workers, Temporal and the clock played.

The one part of `segue` that imports the server's rooms while a user's code may be running; `segue.testing.rooms` loads
it. Everything it takes and gives is plain data of `segue.testing`.
"""

from segue.testing.engine.engine import Engine

__all__ = ["Engine"]
