"""How far a fit has come, who is told of it, and rows that are held out to say when it is enough."""

from .callers import level_outside
from .held_out import HeldOut, held_out
from .watch import Watch, asked_to_stop, tell_end, tell_kept, tell_size, tell_sweep

__all__ = [
    "HeldOut",
    "Watch",
    "asked_to_stop",
    "held_out",
    "level_outside",
    "tell_end",
    "tell_kept",
    "tell_size",
    "tell_sweep",
]
