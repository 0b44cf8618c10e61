"""Decodes readings whose names were checked before: to match three patterns takes longer than to decode the rest of a reading."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.contract.readings import MAX_BATCH_ITEMS, Reading, decode_reading, decode_readings

MAX_NAMES: Final = 10_000


class _Unchecked(Reading, frozen=True, forbid_unknown_fields=True):
    """A reading whose types and bounds are checked, and whose names are any text."""

    room_id: str
    platform: str
    account: str | UnsetType = UNSET


_decode_one: Final = msgspec.json.Decoder(_Unchecked).decode
_decode_many: Final = msgspec.json.Decoder(Annotated[list[_Unchecked], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]).decode


class KnownNames:
    """The rooms, platforms and accounts of readings that were decoded recently. All others are decoded with their patterns."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], None] = {}

    def decode_reading(self, body: bytes | bytearray) -> Reading:
        """One reading; raises what `shared.contract.readings.decode_reading` raises, or for a body with several faults another of them."""
        reading: Reading = _decode_one(body)
        if (reading.room_id, reading.platform, reading.account) not in self._known:
            reading = decode_reading(body)
            self._remember(reading)
        return reading

    def decode_readings(self, body: bytes | bytearray) -> list[Reading]:
        """A batch; raises the same."""
        readings: list[Reading] = _decode_many(body)
        known = self._known
        for reading in readings:
            if (reading.room_id, reading.platform, reading.account) not in known:
                return self._checked(body)
        return readings

    def _checked(self, body: bytes | bytearray) -> list[Reading]:
        """A batch whose names are checked, and known from then on."""
        readings: list[Reading] = decode_readings(body)
        for reading in readings:
            self._remember(reading)
        return readings

    def _remember(self, reading: Reading) -> None:
        """The names that came first are forgotten first."""
        self._known[reading.room_id, reading.platform, reading.account] = None
        if len(self._known) > MAX_NAMES:
            del self._known[next(iter(self._known))]
