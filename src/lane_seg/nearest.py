"""What was probably meant by a name that nobody knows."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ['nearest']


def nearest(name: object, known: Iterable[str]) -> str:
    """The end of an error message: '; did you mean 'road'?', or nothing if no name is near."""
    folded = {item.casefold(): item for item in known}
    close = difflib.get_close_matches(str(name).casefold(), list(folded), n=1)
    return f'; did you mean {folded[close[0]]!r}?' if close else ''
