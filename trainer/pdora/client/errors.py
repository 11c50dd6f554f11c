"""What goes wrong between a program and the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an adapter or base file: a code of the format, a tensor or manifest path, why."""

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} ({self.code})"


class PdoraError(Exception):
    """Anything that the client raises about the service."""


class UnreachableError(PdoraError):
    """The service could not be reached, or the connection broke."""


class ApiError(PdoraError):
    """The service refused a call, with one of its stable codes."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        problems: Sequence[Problem] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`status` is that of the reply; a job's own problem has none. `retry_after` is in seconds."""
        self.code, self.detail, self.status = code, detail, status
        self.problems, self.request_id, self.retry_after = tuple(problems), request_id, retry_after
        request = "" if request_id is None else f", request {request_id}"
        super().__init__("\n  ".join([f"{detail} ({code}{request})", *map(str, self.problems)]))


class JobError(ApiError):
    """An asynchronous segmentation ended without a label map: it failed, or was cancelled."""


class RejectedError(ApiError):
    """A pushed adapter was stored, but a runner found it invalid; `problems` say why. It can never serve."""


def read_problems(given: Any) -> list[Problem]:
    """Of a reply's `problems`, which may be missing."""
    found = given if isinstance(given, list) else []
    return [Problem(str(one.get("code")), str(one.get("path")), str(one.get("message"))) for one in found]


def api_error(status: int, headers: Mapping[str, str], body: Any) -> ApiError:
    """The error of a reply: RFC 9457 problem details, or whatever stands between the service and here has answered."""
    problem = body if isinstance(body, dict) else {}
    return ApiError(
        str(problem.get("code", "unknown")),
        str(problem.get("detail", f"The service answered with status {status}.")),
        status=status,
        problems=read_problems(problem.get("problems")),
        request_id=problem.get("request_id") or headers.get("x-request-id"),
        retry_after=_seconds(headers.get("retry-after")),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
