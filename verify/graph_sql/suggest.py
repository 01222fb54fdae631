"""Names for hints: what is there, and which of it was probably meant.

May be imported by everything in this package; imports the standard library only.
Design reason: a refused query goes back to its writer, so every unknown name is answered with the known ones.
"""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], lead: str) -> str:
    """A hint such as "graph `bank` has Account, Person; did you mean Account?"; `lead` says who has the names."""
    names = list(dict.fromkeys(known))
    if not names:
        return f"{lead} none"
    listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    near = nearest(name, names)
    return f"{lead} {listed}" + (f"; did you mean {near}?" if near else "")


def nearest(name: str, names: Iterable[str]) -> str:
    """The known name that is nearest in spelling without regard to case, empty when none is near."""
    by_lower = {one.strip('"`').lower(): one for one in names}
    lower = name.lower()
    if lower in by_lower:
        return by_lower[lower]
    plural = [one for one in (lower.rstrip("s"), lower + "s") if one in by_lower]
    found = plural or difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""
