"""A client of the public HTTP API, with the standard library."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

import nibabel

DEADLINE_SECONDS = 300
_VERIFY_MOST_SECONDS = 180
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    def nifti_bytes(self) -> bytes:
        """The answer to a segmentation, unpacked."""
        assert self.status == 200, self.body
        return gzip.decompress(self.body)

    def image(self) -> nibabel.Nifti1Image:
        return nibabel.Nifti1Image.from_bytes(self.nifti_bytes())


@dataclass(frozen=True)
class Client:
    url: str
    key: str

    def call(self, method: str, path: str, body: bytes | None = None, *, values: Any = None) -> Reply:
        """One request with a body of bytes, or of JSON (`values`); an error status is a reply like another."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/octet-stream"}
        if values is not None:
            body, headers["Content-Type"] = json.dumps(values).encode(), "application/json"
        request = Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with _OPENER.open(request, timeout=DEADLINE_SECONDS) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except HTTPError as error:
            with error:
                return Reply(error.code, error.headers, error.read())

    def new_tenant(self, name: str) -> Client:
        """With the admin key: a client with the key of a tenant that is made for it."""
        assert self.call("POST", "/v1/tenants", values={"id": name}).status == 201
        scopes = ["adapters:read", "adapters:write", "segment"]
        reply = self.call("POST", f"/v1/tenants/{name}/keys", values={"name": "tests", "scopes": scopes})
        assert reply.status == 201, reply.body
        return Client(self.url, reply.json()["key"])

    def upload(self, name: str, file: Path) -> Reply:
        return self.call("POST", f"/v1/adapters/{name}/versions", file.read_bytes())

    def push(self, name: str, file: Path) -> dict[str, Any]:
        """Uploads an adapter and waits for its verdict; the adapter as the service shows it."""
        reply = self.upload(name, file)
        assert reply.status == 201, reply.body
        until = time.monotonic() + _VERIFY_MOST_SECONDS
        while (shown := self.call("GET", f"/v1/adapters/{name}").json())["status"] == "verifying":
            assert time.monotonic() < until, f"{name} is still being verified"
            time.sleep(0.05)
        return shown

    def segment(self, adapter: str, image: bytes | Path, **query: str) -> Reply:
        body = image if isinstance(image, bytes) else image.read_bytes()
        query = {"adapter": adapter, "deadline": str(DEADLINE_SECONDS), **query}
        return self.call("POST", f"/v1/segmentations?{urlencode(query, quote_via=quote)}", body)
