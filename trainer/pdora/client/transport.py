"""Calls over HTTP: bodies of known length, errors as exceptions, another try where that is safe."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

import requests

from pdora.client.errors import ApiError, UnreachableError, api_error
from pdora.client.sources import BytesSource, Source

# Together longer than the 30 s for which a call that broke off holds its Idempotency-Key.
PAUSES_SECONDS = (0.5, 2.0, 8.0, 21.0)
# A service that asks for more is not waited for.
_PAUSE_MOST_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 120.0


class Transport:
    """One service and one key. Not to be shared between threads."""

    def __init__(self, url: str, key: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url, self._sleep = url.rstrip("/"), sleep
        self._session = requests.Session()
        # Given as a function, it comes before what a .netrc file says of the host.
        self._session.auth = _Bearer(key)

    def close(self) -> None:
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Source | None = None,
        values: Any = None,
        repeatable: bool | None = None,
        most_seconds: float = _READ_SECONDS,
    ) -> requests.Response:
        """One call with a body, or with JSON (`values`), and its reply, read whole.

        It is made again where the service says that it is passing (`Retry-After`), and where the connection broke if
        the call is `repeatable`: what only reads is. A quota is not waited for. `most_seconds` is for the reply to begin.
        Raises ApiError and UnreachableError.
        """
        sent = {"accept": "application/json, */*", **(headers or {})}
        if values is not None:
            body, sent["content-type"] = BytesSource(json.dumps(values).encode()), "application/json"
        again = method == "GET" if repeatable is None else repeatable
        for pause in (*PAUSES_SECONDS, None):
            try:
                return self._once(method, path, query, sent, body, most_seconds)
            except (ApiError, UnreachableError) as error:
                told = _told_pause(error, again)
                if pause is None or told is None or told > _PAUSE_MOST_SECONDS:
                    raise
                self._sleep(max(pause, told))
        raise AssertionError("the last try has no pause")

    def json(self, method: str, path: str, **call: Any) -> Any:
        """As `call`; the JSON of the reply."""
        return self.call(method, path, **call).json()

    def here(self, url: str) -> str:
        """The path of a URL that the service gave: at the address by which it was reached, which need not be its own."""
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        body: Source | None,
        most_seconds: float,
    ) -> requests.Response:
        with nullcontext() if body is None else body.open() as file:
            try:
                reply = self._session.request(
                    method,
                    self._url + path,
                    params={name: value for name, value in (query or {}).items() if value is not None},
                    headers=dict(headers),
                    data=None if body is None else _Sized(file, body.size),
                    timeout=(_CONNECT_SECONDS, most_seconds),
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise UnreachableError(f"{self._url} does not answer, or broke off: {error}") from error
        if reply.status_code < 300:
            return reply
        raise api_error(reply.status_code, reply.headers, _json_or_none(reply))


class _Sized:
    """A stream that says its length, so that it is not sent in chunks."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._size = file, size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Any:
        return iter(self._file)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


class _Bearer(requests.auth.AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["authorization"] = f"Bearer {self._key}"
        return request


def _told_pause(error: ApiError | UnreachableError, repeatable: bool) -> float | None:
    """Seconds, or None where another try would be answered alike, or could do a thing twice."""
    if isinstance(error, UnreachableError):
        return 0.0 if repeatable else None
    passing = error.status == 503 or error.code == "rate_limited" or (error.status == 409 and repeatable)
    return error.retry_after if passing else None


def _json_or_none(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except requests.JSONDecodeError:
        return None
