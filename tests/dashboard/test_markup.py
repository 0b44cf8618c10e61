"""Markup where numbers are expected: an attacker who can write into Redis or craft a link runs no code in the page."""

import json
import pathlib
import time

import pytest
import redis
from playwright.sync_api import Page, expect

from shared.contract import keys
from tests.support.browser import Opener
from tests.support.studio import Studio, running_studio
from tests.support.warm_services import KEEP_FILES

EVIL = '<img src="/x" onerror="window.ran=1"><script>window.ran=1</script>'


def publish(studio: Studio, room_id: str, platform: str) -> None:
    """Puts a reading on the channel that ingest would never have let in."""
    now = time.time_ns() // 1000
    reading = {"room_id": room_id, "platform": platform, "timestamp": now // 1_000_000, "tokens_count": 1, "sequence": 0}
    reading |= {"tips_count": None, "viewers_count": 1, "goal_tokens": None, "version": now, "committed_at": now}
    with redis.Redis.from_url(studio.stack.redis_url) as server:
        assert server.publish(keys.events_channel(0), json.dumps(reading)) >= 1


UNTOUCHED = "window.ran === undefined && !document.querySelector('img[src=\"/x\"]') && !document.querySelector('body script')"


def nothing_ran(page: Page) -> bool:
    """Neither a script nor an image of the text came to life."""
    return page.evaluate(UNTOUCHED) is True


def test_a_room_named_by_an_attacker_is_text(tmp_path: pathlib.Path, visit: Opener) -> None:
    """It is shown letter for letter, and so is the platform."""
    with running_studio(tmp_path, **{KEEP_FILES: "1"}) as studio:
        dashboard = visit(studio).open().live()
        publish(studio, EVIL, EVIL)
        expect(dashboard.page.locator(".card .room").filter(has_text="onerror")).to_have_text([EVIL])
        assert nothing_ran(dashboard.page)


@pytest.mark.parametrize("query", ["?q=", "?view=room&on=camsoda&room=", "?view=analytics&of=", "?platform=", "?group=", "?sort="])
def test_a_link_made_by_an_attacker_is_text(studio: Studio, visit: Opener, query: str) -> None:
    """Any query in the address."""
    dashboard = visit(studio).open(query + EVIL.replace(" ", "%20")).live()
    assert nothing_ran(dashboard.page)
