"""An asynchronous segmentation, from handing in to the label map."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from pdora.client.errors import ApiError, JobError, read_problems
from pdora.client.results import Kind, check_kind, read_segmentation
from pdora.client.transport import Transport

_FIRST_PAUSE_SECONDS = 0.25
_PAUSE_MOST_SECONDS = 3.0
_ENDED = ("succeeded", "failed", "cancelled")


class Job:
    """A segmentation that goes on whether or not this program does: `client.job(id)` finds it again."""

    def __init__(
        self,
        transport: Transport,
        job_id: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = job_id
        self._transport, self._sleep, self._clock = transport, sleep, clock
        self._path = f"/v1/segmentations/{quote(job_id, safe='')}"
        self._shown: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    @property
    def shown(self) -> Mapping[str, Any]:
        """The job as the API showed it last."""
        return self.refresh() if self._shown is None else self._shown

    def refresh(self) -> Mapping[str, Any]:
        """The job as the API shows it now. Raises ApiError `not_found` once it was erased."""
        self._shown = self._transport.json("GET", self._path)
        return self._shown

    @property
    def status(self) -> str:
        """queued, running, succeeded, failed or cancelled, asked now."""
        return self.refresh()["status"]

    @property
    def done(self) -> bool:
        return self.status in _ENDED

    def wait(self, *, timeout: float | None = None, progress: bool = False) -> Job:
        """Waits for the end, with a bar where `progress` is set (it needs tqdm).

        Raises JobError where there is no label map, and TimeoutError after `timeout` seconds; the job goes on then.
        """
        until = None if timeout is None else self._clock() + timeout
        pause = _FIRST_PAUSE_SECONDS
        with _bar(progress) as show:
            while self.refresh()["status"] not in _ENDED:
                show(self.shown)
                if until is not None and self._clock() >= until:
                    raise TimeoutError(f"segmentation {self.id} is still {self.shown['status']}")
                self._sleep(pause)
                pause = min(_PAUSE_MOST_SECONDS, pause * 1.5)
            show(self.shown)
        if self.shown["status"] != "succeeded":
            problem = self.shown["problem"] or {}
            detail = problem.get("detail", f"The segmentation is {self.shown['status']}.")
            code = problem.get("code", self.shown["status"])
            raise JobError(code, detail, problems=read_problems(problem.get("problems")))
        return self

    def result(self, *, as_: Kind = "nibabel", timeout: float | None = None, progress: bool = False) -> Any:
        """Waits, and fetches the label map, which is kept for 24 hours; raises as `wait`."""
        check_kind(as_)
        self.wait(timeout=timeout, progress=progress)
        reply = self._transport.call("GET", f"{self._path}/result")
        return read_segmentation(reply.headers, reply.content).as_(as_)

    def report(self) -> dict[str, Any]:
        """Volumes, certainty and warnings of a segmentation that has succeeded."""
        return self._transport.json("GET", f"{self._path}/report")

    def cancel(self) -> None:
        """Stops it, at the runner too; nothing happens to one that was seen to have ended."""
        if not self.done:
            self._transport.call("DELETE", self._path)

    def erase(self) -> None:
        """Deletes all there is of it, its input and result; one that has not ended is cancelled first."""
        self.cancel()
        try:
            self._transport.call("DELETE", self._path)
        except ApiError as error:
            # One that ended while it was being cancelled is gone already.
            if error.code != "not_found":
                raise


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Shows a job on a progress bar of tqdm, or not at all."""
    if not wanted:
        yield lambda job: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=100, bar_format="{desc:<10}{bar}| {n:.0f} % {elapsed}") as bar:

        def show(job: Mapping[str, Any]) -> None:
            bar.set_description_str(job["status"], refresh=False)
            # Set and not added to: an attempt that was lost begins anew.
            bar.n = 100 * job["progress"]
            bar.refresh()

        yield show
