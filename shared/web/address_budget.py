"""How much of a core one address may use for what no token pays for. Pure: the clock is an argument.

Every connection, piece of a request, request, handshake and frame is charged to the address that it comes from, in milliseconds of CPU. A
request is refunded if a token is charged for it instead (an accepted reading, a read within its subject's budget) or if it fails by a fault
of the service. An IPv6 network (/64) counts as one address, since one customer has all of it.
"""

import functools
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Final

import prometheus_client

BURST_SECONDS: Final = 96  # of the refill: at 0.025 of a core fifty browsers that load every file of the page at once
MAX_ADDRESSES: Final = 20_000
MAX_HELD: Final = 1000  # connections that wait for their 429; beyond that they are aborted
MAX_HELD_PER_ADDRESS: Final = 16
HOLD_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 1.0  # for which a socket is not read while its address or its subject is over its budget
RETRY_AFTER_SECONDS: Final = 5
MAX_ADDRESS_LENGTH: Final = 64  # an IPv6 address with a zone has 39 characters, a `%` and a name of an interface
MAX_REMEMBERED: Final = 4096  # addresses as text: to parse one takes longer than all charges of a request

CONNECTION: Final = 0.15
REQUEST: Final = 0.3  # the most expensive of the small ones, a refused credential, takes 0.25
CHUNK: Final = 0.01  # what arrives in one piece
HANDSHAKE: Final = 0.5  # a WebSocket handshake, beside the request that it is
FRAME: Final = 0.1  # a WebSocket frame of any kind
MESSAGE: Final = 0.3  # a whole message, beside its frames; the most expensive one, a token, takes that long
REFUSED_READ: Final = 3.0  # a read that the subject's budget refuses: the answer says when to come back, so that only hostile clients go on
QR_CODE: Final = 4.0  # a QR code, beside its request: no token pays for it
PAIRING: Final = 0.3  # a pairing that is looked up in the store, beside its request
LISTED_SCREEN: Final = 0.008  # a signed-in screen that is read for a list of them

CHARGED: Final = "studio_pulse.charged"  # in a request's scope: its address is not charged for it
EXTRA: Final = "studio_pulse.extra"  # in a request's scope: a price that its address is charged beside that of a request

_BODY: Final = (
    b'{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"too many requests from this address",'
    b'"retry_after_seconds":%d}' % RETRY_AFTER_SECONDS
)
ANSWER: Final = b"\r\n".join(
    (
        b"HTTP/1.1 429 Too Many Requests",
        b"content-type: application/problem+json",
        b"content-length: %d" % len(_BODY),
        b"retry-after: %d" % RETRY_AFTER_SECONDS,
        b"cache-control: no-store",
        b"content-security-policy: default-src 'none'; frame-ancestors 'none'",
        b"x-content-type-options: nosniff",
        b"connection: close",
        b"",
        _BODY,
    )
)

refused = prometheus_client.Counter(
    "pulse_address_budget_refusals", "Requests refused unread because the budget of their address was exhausted"
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressBudget:
    """The account of every address that has spent recently, and the proxies whose X-Forwarded-For is used.

    `share` is the part of a core that an address may use in the long run, 0 for no limit. `trusted` are the proxies' networks.
    """

    def __init__(self, share: float, trusted: Iterable[str] = ()) -> None:
        self._refill_per_second = share * 1000
        self._burst = self._refill_per_second * BURST_SECONDS
        networks = [ipaddress.ip_network(one) for one in trusted]
        self._has_proxies = bool(networks)
        self._is_proxy = functools.lru_cache(maxsize=MAX_REMEMBERED)(functools.partial(_is_in, networks=networks))
        self._accounts: OrderedDict[str, tuple[float, float]] = OrderedDict()  # the rest, and at which second of the clock
        self._held = Counter[str]()
        self.held = 0

    def __len__(self) -> int:
        return len(self._accounts)

    def trusts(self, address: str) -> bool:
        """Whether an address is a proxy's."""
        return self._has_proxies and len(address) <= MAX_ADDRESS_LENGTH and self._is_proxy(address)

    def reported(self, headers: Iterable[tuple[bytes, bytes]], peer: str) -> str:
        """The client of a trusted proxy: the last address of X-Forwarded-For that is no proxy itself, else the proxy's own."""
        values = [value for name, value in headers if name == b"x-forwarded-for"]
        for part in reversed(b",".join(values).decode("latin-1").split(",")):
            address = _without_port(part.strip())
            if address and not self.trusts(address):
                return account_of(address) or account_of(peer)
        return account_of(peer)

    def left(self, account: str, now: float) -> float:
        """The milliseconds that an address may spend."""
        found = self._accounts.get(account)
        if found is None:
            return self._burst
        left, at = found
        if now > at:
            left += (now - at) * self._refill_per_second
        return min(self._burst, left)

    def is_over(self, account: str, now: float) -> bool:
        """Whether an address has to wait."""
        return self._burst > 0 and account in self._accounts and self.left(account, now) <= 0

    def spend(self, account: str, price: float, now: float) -> bool:
        """Takes a price, unless the address has to wait: then it takes nothing and returns False."""
        if self._burst <= 0:
            return True
        left = self.left(account, now)
        if left <= 0:
            return False
        self._set(account, left - price, now)
        return True

    def is_deep_in_debt(self, account: str, now: float) -> bool:
        """Whether an address owes more than its whole burst, so that its new connections are aborted without a 429."""
        return self._burst > 0 and account in self._accounts and self.left(account, now) < -self._burst

    def aborts(self, account: str, now: float) -> bool:
        """Whether a new connection of an address is aborted: one over its budget has a few that wait for a 429, and no more."""
        return self.is_over(account, now) and (self._held[account] >= MAX_HELD_PER_ADDRESS or self.is_deep_in_debt(account, now))

    def hold(self, account: str) -> bool:
        """Counts a connection that waits for its 429; False if too many do."""
        if self.held >= MAX_HELD or self._held[account] >= MAX_HELD_PER_ADDRESS:
            return False
        self.held += 1
        self._held[account] += 1
        return True

    def end_hold(self, account: str) -> None:
        """A connection that waited has its 429, or is gone."""
        self.held -= 1
        self._held[account] -= 1
        if not self._held[account]:
            del self._held[account]

    def charge(self, account: str, price: float, now: float) -> None:
        """Takes a price, or refunds it where it is below zero. The least recent address is forgotten first."""
        if self._burst > 0:
            self._set(account, self.left(account, now) - price, now)

    def _set(self, account: str, left: float, now: float) -> None:
        self._accounts[account] = min(self._burst, left), now
        self._accounts.move_to_end(account)
        if len(self._accounts) > MAX_ADDRESSES:
            self._accounts.popitem(last=False)


def account_of(address: str) -> str:
    """Under which name an address is charged; empty for text that is no address."""
    return _account_of(address) if len(address) <= MAX_ADDRESS_LENGTH else ""


@functools.lru_cache(maxsize=MAX_REMEMBERED)
def _account_of(address: str) -> str:
    if ":" not in address and "%" not in address:
        return address if _parsed(address) else ""
    parsed = _parsed(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return ""


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _is_in(address: str, networks: list[Network]) -> bool:
    parsed = _parsed(address.partition("%")[0])
    return parsed is not None and any(parsed in network for network in networks)


def _without_port(text: str) -> str:
    """`1.2.3.4:5` and `[2001:db8::1]:5` as an address."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
