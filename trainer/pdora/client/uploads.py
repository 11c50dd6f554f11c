"""Files that are too large for one request, in parts."""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

from pdora.client.errors import PdoraError
from pdora.client.sources import PartSource, Source, sha256_hex
from pdora.client.transport import Transport

DIRECT_MOST_BYTES = 95_000_000
UPLOAD_MOST_BYTES = 512_000_000


def upload_in_parts(transport: Transport, source: Source) -> str:
    """The id of the complete upload. A part whose connection breaks is sent again; what comes to nothing is deleted.

    Raises ValueError for what is larger than an upload may be.
    """
    if source.size > UPLOAD_MOST_BYTES:
        raise ValueError(f"{source.size} bytes; at most {UPLOAD_MOST_BYTES} can be uploaded")
    values = {"size": source.size, "sha256": sha256_hex(source)}
    key = {"idempotency-key": str(uuid4())}
    begun = transport.json("POST", "/v1/uploads", values=values, headers=key, repeatable=True)
    try:
        start = 0
        for part in begun["parts"]:
            body = PartSource(source, start, part["size"])
            transport.call("PUT", transport.here(part["url"]), body=body, repeatable=True)
            start += part["size"]
        transport.call("POST", transport.here(begun["complete"]), repeatable=True)
    except BaseException:
        discard(transport, begun["id"])
        raise
    return begun["id"]


def discard(transport: Transport, upload: str) -> None:
    """Deletes an upload that is of no more use. Where that fails, it expires."""
    with suppress(PdoraError):
        transport.call("DELETE", f"/v1/uploads/{upload}")
