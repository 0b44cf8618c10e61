"""What a background job of the worker service is."""

from typing import Protocol

from worker_service.lease import Lease


class Job(Protocol):
    """Work that one instance at a time does.

    A job calls `lease.fence()` before each write and passes the token on to the store, which refuses a smaller token than it has
    seen. It pauses with `shared.web.jobs.sleep` or calls `report_alive`, at least every `MAX_SILENCE_SECONDS`, also during long steps. It
    handles the failures that it can wait out, such as a database that does not answer: any other exception stops the process.
    """

    @property
    def name(self) -> str:
        """A short name for logs and metrics."""

    async def run(self, lease: Lease) -> None:
        """Works until cancelled; raises LeaseLost, or FencedOff where a write was refused because of its token."""

    @property
    def trouble(self) -> str:
        """What the job waits for at the moment and what to do, for `/readyz`; empty for nothing."""

    def unready(self) -> list[str]:
        """The reasons, if any, for which the service is not ready; they are of this instance, whether it holds the lease or not."""
