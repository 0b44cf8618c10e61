"""What the matrix of screenshots contains: views, numbers of rooms, sizes, themes and languages. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

Scheme = Literal["dark", "light", "contrast"]

LOST: Final = "lost"  # the state of a page whose server has gone
SIZES: Final = {390: 844, 768: 1024, 1366: 768, 1920: 1080, 2560: 1440, 3840: 2160}
PHONE_WIDTH: Final = 640  # up to which the page is that of a phone
SCHEMES: Final[tuple[Scheme, ...]] = ("dark", "light", "contrast")
LANGUAGES: Final = ("es", "en")
COUNTS: Final = ("0", "1", "9", "36", "500")
STATES: Final = (*COUNTS, LOST)
LOST_ROOMS: Final = 36

FEED_VIEWS: Final = ("live", "table", "wall", "tv", "room", "analytics", "why", "sum")
OTHER_VIEWS: Final = ("signin", "pairing", "first", "screens", "legend", "palette")
VIEWS: Final = (*FEED_VIEWS, *OTHER_VIEWS)
EMPTY_VIEWS: Final = ("first",)  # of a studio without any room
DIALOGS: Final = {"screens": "#screens-open", "legend": "#explain", "palette": "#palette-open"}


class Look(NamedTuple):
    """How a page is shown."""

    width: int
    scheme: Scheme
    language: str
    height: int


class Scene(NamedTuple):
    """A view in a state: a number of rooms, or `lost`."""

    view: str
    state: str

    def file(self, look: Look) -> str:
        """The path of a picture below the directory of the matrix."""
        return f"{self.view}/{self.view}-{self.state}-{look.width}-{look.scheme}-{look.language}.png"


def scenes(views: Sequence[str], states: Sequence[str]) -> Iterator[Scene]:
    """The scenes of these views. Views that show no rooms have one state each."""
    for view in views:
        if view in FEED_VIEWS:
            yield from (Scene(view, state) for state in states if not (view in ("live", "table") and state == "0"))
        else:
            yield Scene(view, "0" if view in EMPTY_VIEWS else "36")


def looks(widths: Sequence[int], schemes: Sequence[Scheme], languages: Sequence[str]) -> list[Look]:
    """Every combination, those of phones first: few neighbours differ by more than their width."""
    phones, others = [width for width in widths if width <= PHONE_WIDTH], [width for width in widths if width > PHONE_WIDTH]
    return [
        Look(width, scheme, language, SIZES[width])
        for group in (phones, others)
        for language in languages
        for scheme in schemes
        for width in group
    ]


def query_of(view: str, room: tuple[str, str], now_seconds: int) -> str:
    """The address of a view below the page; `room` is the room and platform of the views that show one."""
    of_room = f"room={room[0]}&on={room[1]}"
    queries: dict[str, Callable[[], str]] = {
        "wall": lambda: "?wall=1",
        "tv": lambda: "?wall=hours,leaders,log&each=600",
        "room": lambda: f"?view=room&{of_room}",
        "analytics": lambda: "?view=analytics&period=week",
        "why": lambda: f"?view=why&{of_room}&from={now_seconds - 1800}&to={now_seconds}",
        "sum": lambda: f"?view=sum&from={now_seconds - 86_400}&to={now_seconds}",
    }
    return queries[view]() if view in queries else ""
