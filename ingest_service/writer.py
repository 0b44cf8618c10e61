"""Group commit: the only code that writes telemetry.

Each shard has one round trip to Redis in flight; what arrives meanwhile gathers and goes with the next. There is no timer, so an idle
service adds no latency, and a busy one needs few commands. What waits is bounded, and nothing waits past its deadline: either Redis has
confirmed a reading, or its producer is asked to send it again. A deadline that passes leaves the outcome unknown, which is safe, because
the script answers `duplicate` to a reading it has already taken. The writer never retries; the producer does.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis.exceptions import NoScriptError

from ingest_service import metrics
from ingest_service.commit_script import DIGEST, SCRIPT, Result, fixed_arguments, reading_arguments
from ingest_service.limits import Limits
from ingest_service.outcomes import Outcome, Overloaded, StoreUnavailable, Waiter, outcomes_of
from shared.contract import keys
from shared.contract.readings import MAX_BATCH_ITEMS, Reading
from shared.store.redis import RedisError, Store
from shared.web.jobs import MAX_PAUSE_SECONDS, report_alive, until_one_ends
from shared.web.tracing import Spans

DEADLINE_SECONDS: Final = 0.95
GRACE_SECONDS: Final = 0.5  # after which a request is answered although its shard's writer does not run
MIN_TIME_SECONDS: Final = 0.02  # with less than this left a round trip is not worth starting
MAX_WAITING: Final = 20_000  # readings per shard

log = structlog.get_logger()


class WriterOptions(NamedTuple):
    """What the writers of all shards have in common: how long readings live, the step of the history, and the rate limits."""

    ttl_seconds: int
    step_seconds: int
    retention_days: int
    limits: Limits
    spans: Spans | None = None


RESULTS: Final = {result.value: result for result in Result}  # a lookup costs a fifth of calling an enum
READINGS: Final = {result.value: metrics.readings.labels(result.name.lower()) for result in Result}


class _Submission(NamedTuple):
    readings: Sequence[Reading]
    token_id: str
    deadline: float
    done: Waiter
    origin: Any = None  # the request's span, where there are spans


class ShardWriter:
    """Commits one shard's readings; `run` is the task that does it."""

    def __init__(self, store: Store, shard: int, options: WriterOptions) -> None:
        self._store = store
        self._shard = shard
        self._spans = options.spans
        self._keys = [keys.index(shard), keys.last_version(shard)]
        self._step_seconds = options.step_seconds
        self._fixed = fixed_arguments(
            shard,
            store.publish,
            options.limits,
            ttl_seconds=options.ttl_seconds,
            retention_days=options.retention_days,
            step_seconds=options.step_seconds,
        )
        self._newest_version = 0
        self._waiting: deque[_Submission] = deque()
        self._waiting_readings = 0
        self._unanswered: deque[_Submission] = deque()  # in the order of their deadlines
        self._overdue_timer: asyncio.TimerHandle | None = None
        self._arrived = asyncio.Event()
        self._away = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, readings: Sequence[Reading], token_id: str) -> asyncio.Future[list[Outcome]]:
        """Queues readings of this shard; the future has an outcome for each, or StoreUnavailable, in bounded time. Raises Overloaded."""
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self.submit_for(done, readings, token_id)
        return done

    def submit_for(self, waiter: Waiter, readings: Sequence[Reading], token_id: str) -> None:
        """The same for a waiter of the caller's own."""
        if self._waiting_readings + len(readings) > MAX_WAITING:
            raise Overloaded
        loop = self._loop
        if loop is None:  # it is asked for once: Python 3.11 makes a system call for each time
            loop = self._loop = asyncio.get_running_loop()
        origin = None if self._spans is None else self._spans.current()
        submission = _Submission(readings, token_id, loop.time() + DEADLINE_SECONDS, waiter, origin)
        self._waiting.append(submission)
        self._waiting_readings += len(readings)
        self._arrived.set()
        self._unanswered.append(submission)
        if self._overdue_timer is None:
            self._overdue_timer = loop.call_at(submission.deadline + GRACE_SECONDS, self._fail_overdue)

    def _fail_overdue(self) -> None:
        """Answers what `run` has left without an answer beyond the deadline. One timer for all costs less than one for each."""
        loop = asyncio.get_running_loop()
        while self._unanswered:
            first = self._unanswered[0]
            if not first.done.done() and first.deadline + GRACE_SECONDS > loop.time():
                self._overdue_timer = loop.call_at(first.deadline + GRACE_SECONDS, self._fail_overdue)
                return
            _fail([self._unanswered.popleft()])
        self._overdue_timer = None

    def _drop_answered(self) -> None:
        while self._unanswered and self._unanswered[0].done.done():
            self._unanswered.popleft()

    async def run(self) -> None:
        """Commits batch after batch until cancelled."""
        while True:
            report_alive()
            if not self._waiting:
                await self._arrival()
            batch = self._next_batch()
            if batch:
                await self._commit(batch)
            self._drop_answered()

    async def _arrival(self) -> None:
        """Returns when something waits, and after a pause to report alive."""
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_PAUSE_SECONDS):
                await self._arrived.wait()

    def _next_batch(self) -> list[_Submission]:
        """What goes with the next round trip; submissions out of time are failed instead."""
        batch: list[_Submission] = []
        taken = 0
        soon = asyncio.get_running_loop().time() + MIN_TIME_SECONDS
        while self._waiting and taken + len(self._waiting[0].readings) <= MAX_BATCH_ITEMS:
            submission = self._waiting.popleft()
            self._waiting_readings -= len(submission.readings)
            if submission.deadline < soon:
                _fail([submission])
            elif not submission.done.done():
                taken += len(submission.readings)
                batch.append(submission)
        return batch

    async def _commit(self, batch: list[_Submission]) -> None:
        arguments = [*self._fixed, self._newest_version]
        for submission in batch:
            arguments += (submission.token_id, len(submission.readings))
            for reading in submission.readings:
                arguments += reading_arguments(reading, self._step_seconds)
        try:
            async with asyncio.timeout_at(batch[0].deadline):
                with metrics.commit_duration_seconds.time(), self._span(batch):
                    reply = await self._run_script(arguments)
        except (RedisError, OSError, TimeoutError) as error:
            self._record_outage(error)
            _fail(batch)
            return
        self._away = False
        self._newest_version = max(self._newest_version, *_versions(reply))
        _deliver(batch, reply)

    def _span(self, batch: list[_Submission]) -> contextlib.AbstractContextManager[Any]:
        if self._spans is None:
            return contextlib.nullcontext()
        readings = sum(len(submission.readings) for submission in batch)
        return self._spans.commit(self._shard, readings, [submission.origin for submission in batch])

    async def _run_script(self, arguments: list[Any]) -> list[int]:
        """Runs it by name, and in full where Redis has not seen it since it started."""
        redis = self._store.owner(self._keys[0])
        try:
            return await redis.evalsha(DIGEST, len(self._keys), *self._keys, *arguments)  # type: ignore[no-any-return]
        except NoScriptError:
            return await redis.eval(SCRIPT, len(self._keys), *self._keys, *arguments)  # type: ignore[no-any-return]

    def _record_outage(self, error: Exception) -> None:
        metrics.commit_failures.labels(type(error).__name__).inc()
        if not self._away:
            log.warning("commit.failed", error=type(error).__name__)
        self._away = True


def _fail(batch: list[_Submission]) -> None:
    for submission in batch:
        if not submission.done.done():
            submission.done.set_exception(StoreUnavailable())


def _count(batch: list[_Submission], codes: list[int]) -> None:
    """Counts a commit as a whole, and times one of its readings: to do that with each would cost as much as to check it."""
    metrics.commit_batch_readings.observe(len(codes))
    for code in set(codes):
        READINGS[code].inc(codes.count(code))
    taken = [reading for reading, code in zip(batch[0].readings, codes, strict=False) if code == Result.ACCEPTED]
    if taken:
        _observe_delay(max(taken, key=lambda reading: reading.sequence))


def _observe_delay(reading: Reading) -> None:
    """From observation to commit, where the sequence says the millisecond."""
    if reading.sequence // 1000 == reading.timestamp:
        metrics.observation_to_commit_seconds.observe(max(0.0, time.time() - reading.sequence / 1000))


def _versions(reply: list[int]) -> Iterator[int]:
    """The versions of an answer, and a zero: versions grow on from there, should Redis lose its data while its clock was ahead."""
    yield 0
    for code, value in zip(reply[::2], reply[1::2], strict=True):
        if code <= Result.LATE:
            yield value


def _deliver(batch: list[_Submission], reply: list[int]) -> None:
    codes = reply[::2]
    _count(batch, codes)
    outcomes = list(map(Outcome, map(RESULTS.__getitem__, codes), reply[1::2]))
    start = 0
    for submission in batch:
        end = start + len(submission.readings)
        if not submission.done.done():
            submission.done.set_result(outcomes[start:end])
        start = end


class Writer:
    """The writers of all shards."""

    def __init__(self, store: Store, shards: int, options: WriterOptions) -> None:
        self._shards = [ShardWriter(store, shard, options) for shard in range(shards)]

    def jobs(self) -> dict[str, Coroutine[Any, Any, None]]:
        """A job for each shard, by name, so that each is watched for itself."""
        return {f"writer-{number}": shard.run() for number, shard in enumerate(self._shards)}

    async def run(self) -> None:
        """Runs every shard's writer until cancelled, or one fails."""
        await until_one_ends(*(shard.run() for shard in self._shards))

    async def write_one(self, reading: Reading, token_id: str) -> Outcome:
        """Commits one reading; raises StoreUnavailable or Overloaded."""
        done = self._shard_of(reading).submit((reading,), token_id)
        await done
        [outcome] = outcomes_of(done, 1)
        if isinstance(outcome, StoreUnavailable):
            raise outcome
        return outcome

    def submit_for(self, waiter: Waiter, readings: Sequence[Reading], token_id: str) -> bool:
        """Queues readings of one shard for a waiter; False where they are of several. Raises Overloaded."""
        shard = self._shard_of(readings[0])
        if len(readings) > 1 and len(self._shards) > 1 and any(self._shard_of(reading) is not shard for reading in readings):
            return False
        shard.submit_for(waiter, readings, token_id)
        return True

    def _shard_of(self, reading: Reading) -> ShardWriter:
        return self._shards[keys.shard_of(reading.room_id, len(self._shards))]

    async def write(self, readings: Sequence[Reading], token_id: str) -> list[Outcome | StoreUnavailable | Overloaded]:
        """Commits many readings; a shard that fails does not fail the others."""
        by_shard: dict[int, list[int]] = {}
        for position, reading in enumerate(readings):
            by_shard.setdefault(keys.shard_of(reading.room_id, len(self._shards)), []).append(position)
        outcomes: list[Outcome | StoreUnavailable | Overloaded] = [StoreUnavailable()] * len(readings)
        async with asyncio.TaskGroup() as group:
            for shard, positions in by_shard.items():
                group.create_task(self._write_part(shard, positions, readings, token_id, outcomes))
        return outcomes

    async def _write_part(
        self,
        shard: int,
        positions: list[int],
        readings: Sequence[Reading],
        token_id: str,
        outcomes: list[Outcome | StoreUnavailable | Overloaded],
    ) -> None:
        part: Sequence[Outcome | StoreUnavailable | Overloaded]
        try:
            done = self._shards[shard].submit([readings[position] for position in positions], token_id)
            await done
            part = outcomes_of(done, len(positions))
        except (StoreUnavailable, Overloaded) as error:
            part = [error] * len(positions)
        for position, outcome in zip(positions, part, strict=True):
            outcomes[position] = outcome
