"""Training a student on what `distill` made. The trainer is not part of this version; see README.md beside this file.

May import `verify`, never `distill`. Design reason: the name is taken now, since other distributions and people's own
scripts use `train` too, and a later version must not collide with what this one allowed.
"""

__all__: list[str] = []
