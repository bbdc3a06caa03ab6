"""Progress of a fit: printed lines, callbacks, and early stopping on held-out rows."""

from .callbacks import NOBODY, Followable, Task, followed, unfollowed
from .callers import level_outside
from .held_out import HeldOut, held_out
from .watch import Watch, asked_to_stop, of_fitted, tell_end, tell_kept, tell_size, tell_sweep

__all__ = [
    "NOBODY",
    "Followable",
    "HeldOut",
    "Task",
    "Watch",
    "asked_to_stop",
    "followed",
    "held_out",
    "level_outside",
    "of_fitted",
    "tell_end",
    "tell_kept",
    "tell_size",
    "tell_sweep",
    "unfollowed",
]
