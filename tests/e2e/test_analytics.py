"""Income over HTTP from the real services: the sum of the posted rises, for rooms in the token's scope only."""

import datetime as dt
import pathlib
import time
import urllib.parse
import urllib.request
import zoneinfo

from broadcast_service.reports.workbook import MEDIA_TYPE
from tests.support.spreadsheets import read_workbook
from tests.support.studio import Studio, request, running_studio

HOUR, DAY = 3600, 86400
ANALYTICS = "/api/tracking/analytics"


def hours_ago(hours: float) -> int:
    """A whole hour of today or before, and some."""
    return int(time.time()) // HOUR * HOUR - int(hours * HOUR)


def query(**parameters: object) -> str:
    """The analytics path with a query."""
    return f"{ANALYTICS}?{urllib.parse.urlencode(parameters)}"


def test_earnings_are_positive_differences_by_hour(studio: Studio) -> None:
    """A rise counts in the hour of the later reading, a fall counts nowhere."""
    start = hours_ago(3)
    balances = [(start - 600, 100), (start + 60, 150), (start + HOUR + 60, 30), (start + HOUR + 120, 90)]
    studio.post(*({"room_id": "hourly", "timestamp": at, "tokens_count": tokens} for at, tokens in balances))
    _, report = studio.get(query(**{"from": start, "to": start + 2 * HOUR, "step": HOUR, "rooms": "hourly"}))
    assert (report["earned"], report["total"]) == ([50, 60], 110)


def test_the_balance_before_the_span_is_found_days_back(studio: Studio) -> None:
    """The first reading of a span counts its rise since the previous reading, however old that one is."""
    start = hours_ago(2)
    studio.post(
        {"room_id": "rare", "timestamp": start - 3 * 86400, "tokens_count": 10},
        {"room_id": "rare", "timestamp": start + 5, "tokens_count": 25},
    )
    _, report = studio.get(query(**{"from": start, "to": start + HOUR, "rooms": "rare"}))
    assert report["total"] == 15


def test_a_room_worked_by_three_accounts_a_day_reports_each(studio: Studio) -> None:
    """Each account's income and time on air, by hour, in JSON and CSV; the next account's balance is no income of the room."""
    start = hours_ago(5)
    shifts = {"ana": (0, [100, 160, 190]), "eva": (HOUR, [9000, 9000, 9040]), "mia": (2 * HOUR, [50, 55, 55])}
    for account, (begin, balances) in shifts.items():
        moments = range(start + begin, start + begin + 180, 60)
        studio.post(
            *(
                {"room_id": "shifts", "timestamp": at, "tokens_count": n, "account": account}
                for at, n in zip(moments, balances, strict=True)
            )
        )
    span = {"from": start, "to": start + 3 * HOUR, "step": HOUR, "rooms": "shifts"}
    _, report = studio.get(query(**span, by="account"))
    assert (report["total"], report["earned"], report["on_air_seconds"]) == (135, [90, 40, 5], 9 * 60)
    rows = [(row["account"], row["earned"], row["on_air_seconds"], row["steps"]) for row in report["accounts"]]
    assert rows == [("ana", 90, 180, [90, 0, 0]), ("eva", 40, 180, [0, 40, 0]), ("mia", 5, 180, [0, 0, 5])]
    _, csv = studio.get(query(**span, format="csv"))
    assert [line.split(",")[1:7] for line in csv.split("\r\n")[:-1]] == [
        ["room_id", "platform", "earned", "account", "unsettled", "set_aside"],
        ["shifts", "camsoda", "90", "ana", "0", "0"],
        ["shifts", "camsoda", "40", "eva", "0", "0"],
        ["shifts", "camsoda", "5", "mia", "0", "0"],
    ]


def test_an_account_that_changes_rooms_earns_where_it_is_read(studio: Studio) -> None:
    """Income between the rooms counts too, and a report of either room alone includes it."""
    start = hours_ago(4)
    for room, at, balances in (("first-room", 0, [1000, 1040]), ("second-room", 600, [1100, 1130])):
        moments = (start + at, start + at + 5)
        studio.post(
            *({"room_id": room, "timestamp": at, "tokens_count": n, "account": "moves"} for at, n in zip(moments, balances, strict=True))
        )
    for room, earned in (("first-room", 40), ("second-room", 90)):
        _, report = studio.get(query(**{"from": start, "to": start + HOUR, "rooms": room}))
        assert (report["total"], [row["earned"] for row in report["accounts"]]) == (earned, [earned])


def test_a_report_says_what_was_set_aside_and_what_is_unsettled(studio: Studio) -> None:
    """A placeholder 0 across a minute, a slipped digit, and a cash-out that no reading saw; a span split anywhere adds up."""
    start = hours_ago(6)
    story = [(0, 12_345), (56, 0), (62, 12_345), (70, 12_400), (75, 124_001), (80, 12_410), (700, 200), (705, 230)]
    studio.post(*({"room_id": "odd", "timestamp": start + at, "tokens_count": tokens} for at, tokens in story))
    names = ("total", "unsettled", "set_aside", "between_sessions", "on_air_seconds")
    whole = studio.get(query(**{"from": start, "to": start + 1200, "step": 60, "rooms": "odd"}))[1]
    assert [whole[name] for name in names] == [95, 200, 2, 0, 180]
    for cut in (60, 120, 660, 720):
        parts = [
            studio.get(query(**{"from": start + begin, "to": start + end, "step": 60, "rooms": "odd"}))[1]
            for begin, end in ((0, cut), (cut, 1200))
        ]
        assert [sum(part[name] for part in parts) for name in names] == [whole[name] for name in names], cut


def test_late_readings_count(studio: Studio) -> None:
    """What an outbox brings afterwards changes the report of its time."""
    start = hours_ago(1)
    results = studio.post(
        {"room_id": "late", "timestamp": start + 1200, "tokens_count": 70},
        {"room_id": "late", "timestamp": start, "tokens_count": 10},
        {"room_id": "late", "timestamp": start + 600, "tokens_count": 50},
    )
    assert results[1:] == ["late", "late"]
    _, report = studio.get(query(**{"from": start, "to": start + HOUR, "step": 600, "rooms": "late"}))
    assert report["earned"] == [0, 40, 20, 0, 0, 0]


def test_a_report_says_how_many_minutes_of_each_step_were_measured(studio: Studio) -> None:
    """A minute in which several rooms have readings counts once; an hour without a reading has none, even between hours of income."""
    start = hours_ago(3)
    for room, minutes in (("measured-a", (0, 1, 2, 130)), ("measured-b", (2, 3))):
        studio.post(*({"room_id": room, "timestamp": start + 60 * minute, "tokens_count": minute} for minute in minutes))
    _, report = studio.get(query(**{"from": start, "to": start + 3 * HOUR, "step": HOUR, "rooms": "measured-*"}))
    assert report["measured_minutes"] == [4, 0, 1]


def test_rooms_and_platforms_rank_by_what_they_earned(studio: Studio) -> None:
    """The same tokens from three sides, highest first, and each feed's own steps when asked for."""
    start = hours_ago(1)
    for room, platform, gain in (("rank-a", "camsoda", 5), ("rank-b", "camsoda", 7), ("rank-a", "stripchat", 20)):
        studio.post(*({"room_id": room, "platform": platform, "timestamp": start + at, "tokens_count": at and gain} for at in (0, 60)))
    _, report = studio.get(query(**{"from": start, "to": start + HOUR, "step": HOUR, "rooms": "rank-*", "by": "feed"}))
    assert [(room["room_id"], room["earned"]) for room in report["rooms"]] == [("rank-a", 25), ("rank-b", 7)]
    assert [(one["platform"], one["earned"]) for one in report["platforms"]] == [("stripchat", 20), ("camsoda", 12)]
    assert [feed["steps"] for feed in report["feeds"]] == [[20], [7], [5]]


def test_a_token_sees_only_its_rooms(studio: Studio) -> None:
    """Without narrowing, a report covers exactly the token's scope, in JSON and in CSV."""
    start = hours_ago(1)
    for room in ("mine", "theirs"):
        studio.post(*({"room_id": room, "timestamp": start + at, "tokens_count": at} for at in (0, 60)))
    span = {"from": start, "to": start + HOUR}
    _, report = studio.get(query(**span), rooms=("mine",))
    assert [feed["room_id"] for feed in report["feeds"]] == ["mine"]
    _, csv = studio.get(query(**span, format="csv"), rooms=("mine",))
    assert [line.split(",")[1] for line in csv.split("\r\n")[1:-1]] == ["mine"]


def test_a_room_or_platform_outside_the_scope_is_forbidden(studio: Studio) -> None:
    """Asking for it by name is refused, in analytics and in history."""
    assert studio.get(query(rooms="theirs"), rooms=("mine",))[0] == 403
    assert studio.get(query(platforms="stripchat"), platforms=("camsoda",))[0] == 403
    assert studio.get("/api/tracking/telemetry/theirs/camsoda/history", rooms=("mine",))[0] == 403


def test_bad_parameters_are_named(studio: Studio) -> None:
    """Each refusal is a 422 with the parameter's name and its valid form."""
    for parameters in ({"from": "x"}, {"step": 7}, {"from": 9, "to": 3}, {"by": "hour"}, {"format": "xls"}, {"from": 0}):
        status, problem = studio.get(query(**parameters))
        assert (status, problem["errors"][0]["field"]) == (422, next(iter(parameters)))


def test_no_token_no_report(studio: Studio) -> None:
    """An ingest token is as good as none."""
    assert studio.get(ANALYTICS)[0] == 200
    assert request(studio.broadcast.url + ANALYTICS, studio.stack.token("ingest"))[0] == 401


def test_resolution_and_retention_are_settings(tmp_path: pathlib.Path) -> None:
    """A finer step returns more readings; those older than the retention are neither accepted nor returned."""
    with running_studio(tmp_path, HISTORY_STEP_SECONDS="10", HISTORY_RETENTION_DAYS="1") as fine:
        start = int(time.time()) // 60 * 60 - 120
        results = fine.post(
            *({"room_id": "fine", "timestamp": start + at, "tokens_count": at} for at in (0, 9, 10, 25)),
            {"room_id": "old", "timestamp": start - 2 * 86400},
        )
        assert results[-1] == "rejected"
        _, chart = fine.get(f"/api/tracking/telemetry/fine/camsoda/history?from={start}&to={start + 59}&step=10")
        assert [point["t"] - start for point in chart["points"]] == [9, 10, 25]
        _, report = fine.get(query(**{"from": start, "to": start + 30, "step": 10}))
        assert report["earned"] == [9, 1, 15]


def test_history_as_csv_keeps_unknown_empty(studio: Studio) -> None:
    """An unknown count is an empty field, never a zero."""
    start = hours_ago(1)
    studio.post({"room_id": "sheet", "timestamp": start, "tokens_count": 5, "viewers_count": 3})
    _, csv = studio.get(f"/api/tracking/telemetry/sheet/camsoda/history?from={start}&to={start + 60}&format=csv")
    assert csv.split("\r\n")[1].endswith("Z,5,,3,")


def test_a_report_is_cut_where_a_calendar_is(studio: Studio) -> None:
    """Days of a zone add up to the report, each is what its own report has, and a room's time on air counts once for two accounts."""
    zone = zoneinfo.ZoneInfo("Asia/Kathmandu")
    midnight = int(dt.datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
    balances = ((-7300, 100), (-65, 130), (-5, 137), (0, 140), (65, 150))
    readings = [
        {"room_id": "days", "timestamp": midnight - DAY + at, "tokens_count": tokens, "account": account}
        for at, tokens in balances
        for account in ("left", "right")
    ]
    studio.post(*readings)
    span = {"from": midnight - 2 * DAY, "to": midnight, "rooms": "days", "tz": zone.key}
    _, report = studio.get(query(**span, step="day", by="room"))
    assert (report["step"], report["starts"], report["timezone"]) == ("day", [midnight - 2 * DAY, midnight - DAY], zone.key)
    assert report["rooms"] == [
        {"room_id": "days", "earned": 100, "steps": [74, 26], "on_air_seconds": 300, "between_sessions": 60},
    ]
    assert [row["on_air_seconds"] for row in report["accounts"]] == [300, 300]
    parts = [studio.get(query(**{**span, "from": begin, "to": begin + DAY}))[1]["total"] for begin in report["starts"]]
    assert parts == report["earned"]
    period = studio.get(query(period="yesterday", tz=zone.key, rooms="days", step="month"))[1]
    assert (period["from"], period["to"], period["total"]) == (midnight - DAY, midnight, 26)


def test_an_unknown_zone_and_a_period_beside_a_span_are_refused(studio: Studio) -> None:
    """400 for the zone and 422 for the others, each with the name of its parameter."""
    for parameters, status in (({"tz": "Bogota"}, 400), ({"period": "decade"}, 422), ({"back": 1}, 422), ({"step": "year"}, 422)):
        found, problem = studio.get(query(**parameters))
        assert (found, problem["errors"][0]["field"]) == (status, next(iter(parameters)))


def test_a_spreadsheet_gets_local_times_and_a_dated_name(studio: Studio) -> None:
    """As the browser saves it: a byte order mark, Spanish headings, and the dates of the zone in the name of the file."""
    start = hours_ago(2) - hours_ago(2) % DAY + 2 * HOUR - DAY  # 02:00 UTC is the evening before in Bogotá
    studio.post(*({"room_id": "sheet-es", "timestamp": start + at, "tokens_count": at} for at in (0, 60)))
    path = query(**{"from": start, "to": start + HOUR, "rooms": "sheet-es", "tz": "America/Bogota", "format": "csv-local"})
    headers = {"Authorization": f"Bearer {studio.stack.token('dashboard')}"}
    with urllib.request.urlopen(urllib.request.Request(studio.broadcast.url + path, headers=headers), timeout=60) as response:
        name, text = response.headers["Content-Disposition"], response.read()
    evening = dt.datetime.fromtimestamp(start, zoneinfo.ZoneInfo("America/Bogota"))
    assert name == f'attachment; filename="earnings-{evening:%Y-%m-%d}.csv"'
    assert text.startswith(b"\xef\xbb\xbfInicio;Sala;")
    assert text.decode().split("\r\n")[1] == f"{evening:%Y-%m-%d %H:%M:%S};sheet-es;camsoda;;60;1800,0;0,03;0;0;0;;"
    path = path.replace("csv-local", "xlsx&lang=en")
    with urllib.request.urlopen(urllib.request.Request(studio.broadcast.url + path, headers=headers), timeout=60) as response:
        assert response.headers["Content-Disposition"] == f'attachment; filename="earnings-{evening:%Y-%m-%d}.xlsx"'
        assert response.headers["Content-Type"] == MEDIA_TYPE
        sheets = read_workbook(response.read())
    assert sheets["Income"][1][:5] == [evening.replace(tzinfo=None), "sheet-es", "camsoda", None, 60]
