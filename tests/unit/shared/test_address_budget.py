"""Who is charged for a request that no token pays for, and what an address beyond its budget costs."""

import asyncio
from typing import Any

import msgspec
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from broadcast_service.http.static import read_files
from shared.settings import CommonSettings
from shared.web.address_budget import (
    ANSWER,
    BURST_SECONDS,
    CHARGED,
    CHUNK,
    CONNECTION,
    EXTRA,
    FRAME,
    HANDSHAKE,
    HOLD_SECONDS,
    MAX_ADDRESSES,
    MAX_HELD,
    MAX_HELD_PER_ADDRESS,
    MESSAGE,
    REFUSED_READ,
    REQUEST,
    AddressBudget,
    _account_of,
    account_of,
)
from shared.web.http_protocol import HttpProtocol

SHARE = next(field.default for field in msgspec.structs.fields(CommonSettings) if field.name == "address_share")
PEER = "192.0.2.1"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_studio_behind_one_address_never_meets_the_limit() -> None:
    """Two hundred desks post every 5 s, also refused ones, and fifty dashboards load every file of the page and connect at once."""
    budget = AddressBudget(SHARE)
    files = len(read_files().pages)
    for second in range(3600):
        budget.charge(PEER, 40 * (REQUEST + CHUNK), second)  # nothing is refunded: as if all were refused
        budget.charge(PEER, 50 / 15 * CHUNK + 50 / 10 * (CHUNK + FRAME + MESSAGE), second)
        if second == 1800:
            for _ in range(50):
                assert not budget.is_over(PEER, second)
                budget.charge(PEER, 6 * CONNECTION + (files + 1) * (REQUEST + CHUNK) + HANDSHAKE, second)  # a browser opens six connections
        assert not budget.is_over(PEER, second)


def test_a_studio_of_thirty_six_rooms_and_reloading_dashboards_behind_one_address_never_meets_the_limit() -> None:
    """Thirty-six rooms post every 5 s, each on a new connection and all refused, while ten dashboards are reloaded every minute."""
    budget = AddressBudget(SHARE)
    files = len(read_files().pages)
    for second in range(3600):
        budget.charge(PEER, 36 / 5 * (CONNECTION + REQUEST + CHUNK), second)
        if second % 6 == 0:  # one of the ten; the files are asked for again and answered 304
            budget.charge(PEER, 6 * CONNECTION + (files + 8) * (REQUEST + CHUNK) + HANDSHAKE, second)
        assert not budget.is_over(PEER, second)
        assert not budget.aborts(PEER, second)


def test_an_address_gets_its_share_and_no_more() -> None:
    """After its burst, over any time."""
    budget, spent = AddressBudget(SHARE), 0.0
    for tick in range(100 * 60):
        while not budget.is_over(PEER, tick / 100):
            budget.charge(PEER, REQUEST, tick / 100)
            spent += REQUEST
    assert spent == pytest.approx(SHARE * 1000 * (BURST_SECONDS + 60), rel=0.01)


def test_an_address_spends_while_it_has_some_left_and_owes_the_rest() -> None:
    """A refused amount is not taken either."""
    budget = AddressBudget(SHARE)
    burst = budget.left(PEER, 0)
    assert budget.spend(PEER, burst - 1, 0)
    assert budget.spend(PEER, 5, 0)
    assert budget.left(PEER, 0) == pytest.approx(-4)
    assert not budget.spend(PEER, 5, 0)
    assert budget.left(PEER, 0) == pytest.approx(-4)
    assert budget.spend(PEER, burst, 1)
    assert not budget.spend(PEER, 1, 0.5)  # by a clock that goes backwards
    assert AddressBudget(0).spend(PEER, 1e9, 0)


def test_text_that_is_too_long_for_an_address_is_not_remembered() -> None:
    """A client of a proxy can write long lines into `X-Forwarded-For`, also such as look like addresses."""
    budget = AddressBudget(SHARE, ["10.0.0.0/8"])
    long = "fe80::1%" + "x" * 100_000
    before = _account_of.cache_info().currsize
    assert account_of(long) == ""
    assert not budget.trusts(long)
    assert budget.reported([(b"x-forwarded-for", long.encode())], "10.0.0.1") == "10.0.0.1"
    assert _account_of.cache_info().currsize <= before + 1  # that of the proxy
    assert account_of("fe80::1%" + "x" * 15) == "fe80::/64"


def test_a_share_of_zero_stores_nothing() -> None:
    budget = AddressBudget(0)
    for _ in range(100_000):
        budget.charge(PEER, REQUEST, 0)
    assert not budget.is_over(PEER, 0)
    assert len(budget) == 0


def test_the_least_recent_addresses_are_forgotten() -> None:
    """So the memory is bounded."""
    budget = AddressBudget(SHARE)
    for number in range(MAX_ADDRESSES + 100):
        budget.charge(f"address {number}", 1, number / 1e6)
    assert len(budget) == MAX_ADDRESSES
    assert budget.left("address 50", 1) == SHARE * 1000 * BURST_SECONDS


def test_a_clock_that_stands_still_gives_nothing_back() -> None:
    """Nor does one that goes backwards."""
    budget = AddressBudget(SHARE)
    budget.charge(PEER, 10_000, 100)
    assert budget.is_over(PEER, 100)
    assert budget.left(PEER, 50) == budget.left(PEER, 100)


@pytest.mark.parametrize(
    ("address", "account"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", ""),
        ("1.2.3.4%x", ""),
        ("", ""),
    ],
)
def test_the_account_of_an_address(address: str, account: str) -> None:
    """An IPv6 network of one customer is one account; text that is no address has none."""
    assert account_of(address) == account


@pytest.mark.parametrize(
    ("forwarded", "account"),
    [
        ([b"203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ([b"198.51.100.1", b"203.0.113.9, 10.0.0.7"], "203.0.113.9"),
        ([b"203.0.113.9:4711"], "203.0.113.9"),
        ([b"[2001:db8::1]:4711"], "2001:db8::/64"),
        ([b"2001:db8::1"], "2001:db8::/64"),
        ([b"203.0.113.9, nonsense"], "10.0.0.1"),
        ([b"10.0.0.7"], "10.0.0.1"),
        ([b""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_only_the_entry_of_the_last_trusted_proxy_counts(forwarded: list[bytes], account: str) -> None:
    """A client may write anything into the header; the entry that the proxy appended is its address."""
    budget = AddressBudget(SHARE, ["10.0.0.0/8"])
    assert budget.trusts("10.0.0.1")
    assert not budget.trusts("203.0.113.9")
    assert budget.reported([(b"x-forwarded-for", value) for value in forwarded], "10.0.0.1") == account


class Transport(asyncio.Transport):
    """Records writes, and whether reading is paused."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 4711), "sockname": ("192.0.2.100", 80)})
        self.written: list[bytes] = []
        self.closed = self.aborted = False
        self.reads = True

    def write(self, data: Any) -> None:
        """Keeps the very object."""
        self.written.append(data)

    def close(self) -> None:
        """Closes."""
        self.closed = True

    def abort(self) -> None:
        """Closes at once."""
        self.aborted = self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Reads no more."""
        self.reads = False

    def resume_reading(self) -> None:
        """Reads again."""
        self.reads = True


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock is set by hand."""

    now = 0.0

    def time(self) -> float:
        """The time that it was set to."""
        return self.now


class Bench:
    """Connections to an application that authenticates every request for /paid."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.budget = AddressBudget(SHARE, ["10.0.0.1"])
        self.served: list[str] = []
        self.config = uvicorn.Config(self._app, interface="asgi3", http=HttpProtocol, ws="none", proxy_headers=False, log_config=None)

    async def _app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.served.append(scope["path"])
        if scope["path"] == "/paid":
            scope[CHARGED] = True
        if scope["path"] == "/refused":
            scope[EXTRA] = REFUSED_READ
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def connect(self, peer: str = PEER) -> tuple[HttpProtocol, Transport]:
        """A connection from an address."""
        transport = Transport(peer)
        protocol = HttpProtocol(self.config, ServerState(), {}, self.loop, budget=self.budget)
        protocol.connection_made(transport)
        return protocol, transport

    def run(self) -> None:
        """Lets everything happen that is due."""
        for _ in range(5):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def send(self, protocol: HttpProtocol, data: bytes) -> None:
        """Receives something and does what follows."""
        protocol.data_received(data)
        self.run()


@pytest.fixture
def bench() -> Any:
    """Closed afterwards."""
    bench = Bench()
    yield bench
    bench.loop.close()


def test_bytes_beyond_the_budget_are_not_parsed(bench: Bench) -> None:
    """They are answered with one shared response, after a second in which nothing is read."""
    protocol, transport = bench.connect()
    bench.send(protocol, GET)
    assert bench.served == ["/"]
    transport.written.clear()
    bench.budget.charge(PEER, 10_000, 0)
    protocol.parser = None  # type: ignore[assignment]  # parsing anything from now on fails
    bench.send(protocol, GET)
    assert (transport.written, transport.reads, bench.budget.held) == ([], False, 1)
    bench.loop.now = HOLD_SECONDS
    bench.run()
    assert transport.written[0] is ANSWER
    assert (len(transport.written), transport.closed, bench.budget.held, bench.served) == (1, True, 0, ["/"])


def test_requests_with_a_valid_token_are_given_back(bench: Bench) -> None:
    """A producer on one connection is never limited; a client without a token is."""
    protocol, transport = bench.connect()
    before = bench.budget.left(PEER, 0)
    for _ in range(20):
        bench.send(protocol, GET.replace(b"/ ", b"/paid ", 1))
    assert bench.budget.left(PEER, 0) == pytest.approx(before)
    bench.send(protocol, GET)
    assert bench.budget.left(PEER, 0) == pytest.approx(before - REQUEST - CHUNK)
    assert transport.reads


def test_clients_of_a_proxy_have_accounts_of_their_own(bench: Bench) -> None:
    """The proxy's header names them; its other clients' requests continue, also on the same connections."""
    bench.budget.charge("203.0.113.9", 10_000, 0)
    protocol, _ = bench.connect("10.0.0.1")
    bench.send(protocol, GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 203.0.113.10\r\n\r\n"))
    assert bench.served == ["/"]
    bench.send(protocol, GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"))
    assert (bench.served, bench.budget.held) == (["/"], 1)
    protocol.connection_lost(None)
    assert bench.budget.held == 0
    bench.loop.now = 2 * HOLD_SECONDS
    bench.run()
    assert bench.budget.held == 0


def test_requests_in_one_piece_are_charged_one_by_one(bench: Bench) -> None:
    """Those within the budget are answered, and then the connection ends."""
    bench.budget.charge(PEER, SHARE * 1000 * BURST_SECONDS - 3 * REQUEST, 0)
    protocol, transport = bench.connect()
    bench.send(protocol, GET * 50)
    bench.run()
    assert 0 < len(bench.served) <= 3
    assert transport.closed
    assert ANSWER not in transport.written


def test_a_head_in_many_pieces_is_charged_by_the_piece(bench: Bench) -> None:
    """A slow head is not free."""
    protocol, transport = bench.connect()
    bench.send(protocol, b"GET / HTTP/1.1\r\nX: ")
    pieces = 0
    while transport.reads and pieces < 200_000:
        protocol.data_received(b"x")
        pieces += 1
    assert pieces <= SHARE * 1000 * BURST_SECONDS / CHUNK


def test_connections_that_wait_for_their_refusal_are_bounded_for_each_address(bench: Bench) -> None:
    """Beyond the bound an open connection is aborted when it sends, and a new one before anything is set up or charged for it."""
    open_before = [bench.connect() for _ in range(MAX_HELD_PER_ADDRESS + 1)]
    bench.budget.charge(PEER, SHARE * 1000 * BURST_SECONDS, 0)
    for protocol, _ in open_before:
        protocol.data_received(GET)
    assert bench.budget.held == MAX_HELD_PER_ADDRESS
    assert [transport.aborted for _, transport in open_before] == [False] * MAX_HELD_PER_ADDRESS + [True]
    left = bench.budget.left(PEER, 0)
    protocol, transport = bench.connect()
    assert transport.aborted
    assert protocol not in protocol.connections
    assert bench.budget.left(PEER, 0) == left
    bench.loop.now = HOLD_SECONDS
    bench.run()
    assert [transport.written for _, transport in open_before] == [[ANSWER]] * MAX_HELD_PER_ADDRESS + [[]]
    assert bench.budget.held == 0


def test_connections_that_wait_for_their_refusal_are_bounded_for_all_addresses_together() -> None:
    """However many addresses they come from, and each that is released makes room for another one."""
    budget = AddressBudget(SHARE)
    addresses = [f"address {number // MAX_HELD_PER_ADDRESS}" for number in range(MAX_HELD + 1)]
    assert [budget.hold(address) for address in addresses] == [True] * MAX_HELD + [False]
    budget.end_hold(addresses[0])
    assert budget.hold(addresses[-1])


def test_a_read_that_its_subjects_budget_refuses_costs_its_address_extra(bench: Bench) -> None:
    """The answer said when to come back; a client that goes on uses up the budget of its address."""
    protocol, _ = bench.connect()
    before = bench.budget.left(PEER, 0)
    bench.send(protocol, GET.replace(b"/ ", b"/refused ", 1))
    assert bench.budget.left(PEER, 0) == pytest.approx(before - REQUEST - CHUNK - REFUSED_READ)
    bench.send(protocol, GET)
    assert bench.budget.left(PEER, 0) == pytest.approx(before - 2 * (REQUEST + CHUNK) - REFUSED_READ)


def test_connections_of_an_address_far_beyond_its_budget_are_aborted_and_not_charged(bench: Bench) -> None:
    """Nothing is set up for them, the debt stops growing, and a proxy and other addresses are still served."""
    burst = SHARE * 1000 * BURST_SECONDS
    bench.budget.charge(PEER, 2 * burst + 1, 0)
    ends = [bench.connect() for _ in range(3)]
    for protocol, transport in ends:
        assert transport.aborted
        assert protocol not in protocol.connections
        protocol.data_received(GET)
        protocol.connection_lost(None)
    assert bench.budget.left(PEER, 0) == -burst - 1
    assert bench.budget.held == 0
    for peer in ("10.0.0.1", "192.0.2.2"):
        protocol, transport = bench.connect(peer)
        bench.send(protocol, GET)
        assert not transport.aborted
    assert bench.served == ["/", "/"]
    bench.loop.now = 1.0  # as much is paid that it owes no more than its burst
    assert not bench.connect()[1].aborted
