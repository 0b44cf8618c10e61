"""How many members of a shard's index are read at a time. Pure."""

from typing import Final

MAX_PAGE: Final = 500
INITIAL_PAGE: Final = 64
QUICK_PAGE_SECONDS: Final = 0.1  # after a page that took less, the next one is larger
SLOW_PAGE_SECONDS: Final = 0.3


class PageSize:
    """Adapts to what the connection transfers in a fraction of the timeout."""

    def __init__(self) -> None:
        self.members = INITIAL_PAGE

    def took(self, seconds: float) -> None:
        """Sets the size of the next page from the duration of the last one."""
        if seconds < QUICK_PAGE_SECONDS:
            self.members = min(MAX_PAGE, 2 * self.members)
        elif seconds > SLOW_PAGE_SECONDS:
            self.members = max(1, self.members // 2)

    def timed_out(self) -> bool:
        """Makes the next page smaller; returns whether that is possible."""
        before = self.members
        self.members = max(1, before // 4)
        return before > 1
