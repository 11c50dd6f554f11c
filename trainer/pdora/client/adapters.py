"""Pushing an adapter, from a file or right from training, and waiting for the verdict."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from pdora.client.errors import RejectedError, read_problems
from pdora.client.sources import FileSource, Source, repr_digest, sha256_hex
from pdora.client.transport import Transport
from pdora.client.uploads import DIRECT_MOST_BYTES, upload_in_parts

_FIRST_PAUSE_SECONDS = 0.1
_PAUSE_MOST_SECONDS = 2.0


@dataclass(frozen=True)
class Version:
    """A version of an adapter. `adapter` is tenant/name; `status` is verifying, ready or rejected."""

    adapter: str
    version: int
    digest: str
    status: str

    @property
    def ref(self) -> str:
        """What names this very version in a segmentation."""
        return f"{self.adapter}@{self.version}"


def adapter_path(name: str) -> str:
    return f"/v1/adapters/{quote(name, safe='')}"


def push_file(transport: Transport, path: str | os.PathLike[str], name: str) -> Version:
    """Uploads a file as a version of `name`; the same bytes again are the same version."""
    source: Source = FileSource(path)
    versions = f"{adapter_path(name)}/versions"
    if source.size > DIRECT_MOST_BYTES:
        values = {"upload": upload_in_parts(transport, source)}
        return Version(**transport.json("POST", versions, values=values, repeatable=True))
    headers = {"content-type": "application/octet-stream", "repr-digest": repr_digest(sha256_hex(source))}
    return Version(**transport.json("POST", versions, body=source, headers=headers, repeatable=True))


def await_verdict(
    transport: Transport,
    version: Version,
    timeout: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Version:
    """The version once it is ready. Raises RejectedError with its problems, and TimeoutError after so many seconds."""
    until, pause = clock() + timeout, _FIRST_PAUSE_SECONDS
    while (shown := transport.json("GET", adapter_path(version.ref)))["status"] == "verifying":
        if clock() >= until:
            raise TimeoutError(f"{version.ref} is still being verified")
        sleep(pause)
        pause = min(_PAUSE_MOST_SECONDS, pause * 1.5)
    if shown["status"] == "rejected":
        problems = read_problems(shown["problems"])
        raise RejectedError("invalid_adapter", f"{version.ref} was rejected.", problems=problems)
    return Version(version.adapter, version.version, version.digest, shown["status"])


@contextmanager
def stored(
    model: Any, name: str, *, base: Any, task: Any, dtype: str, provenance: Mapping[str, Any] | None
) -> Iterator[Path]:
    """The file of what is to be pushed: its path, that of a stored `pdora.Adapter`, or a trained network's, for now."""
    if isinstance(model, (str, os.PathLike)):
        yield Path(model)
        return
    from pdora.files import Adapter, Base, load_base, save_adapter

    if isinstance(model, Adapter):
        yield model.path
        return
    if base is None or task is None:
        raise TypeError("a network needs base= and task=, as save_adapter takes them")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name.rpartition('/')[2]}.safetensors"
        start = base if isinstance(base, Base) else load_base(base)
        save_adapter(model, path, base=start, task=task, dtype=dtype, provenance=provenance)
        yield path
