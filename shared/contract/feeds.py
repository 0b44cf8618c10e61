"""What a reading belongs to, and how that is spelled in the members of Redis' sets.

A feed is a room on a platform. A series is what one account showed in a feed; its account is empty where the producer sends none.
Rooms, platforms and accounts hold no `:`, so a member can be split into its parts.
"""

from typing import NamedTuple


class Feed(NamedTuple):
    """A room on one platform."""

    room_id: str
    platform: str

    def member(self) -> str:
        """The feed as the index names it: `<room_id>:<platform>`."""
        return f"{self.room_id}:{self.platform}"


class Series(NamedTuple):
    """A feed and the account whose balance it shows, empty for the unnamed one."""

    room_id: str
    platform: str
    account: str = ""

    @property
    def feed(self) -> Feed:
        """The series' feed."""
        return Feed(self.room_id, self.platform)

    def member(self) -> str:
        """The series as the sets of a day's feeds name it: `<room_id>:<platform>`, and `:<account>` where there is one."""
        return ":".join(self if self.account else self[:2])


def parse_member(member: str) -> Series:
    """The series that a member names; a part that is missing is empty."""
    room_id, _, rest = member.partition(":")
    platform, _, account = rest.partition(":")
    return Series(room_id, platform, account)


def parse_room_member(room_id: str, member: str) -> Series:
    """The series that a member of a room's own set names, which is `<platform>:<account>`."""
    platform, _, account = member.partition(":")
    return Series(room_id, platform, account)
