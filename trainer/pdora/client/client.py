"""The service from Python: segment, push, look after adapters."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

from pdora.client.adapters import Version, adapter_path, await_verdict, push_file, stored
from pdora.client.jobs import Job
from pdora.client.results import Kind, check_kind, read_segmentation
from pdora.client.sources import FormSource, Source, repr_digest, sha256_hex, source_of
from pdora.client.transport import Transport
from pdora.client.uploads import DIRECT_MOST_BYTES, UPLOAD_MOST_BYTES, discard, upload_in_parts

Output = Literal["labels", "probabilities"]
Format = Literal["nifti", "nrrd"]
_BASE = "__base__"
_DEADLINE_SECONDS = 90
# What a reply may take to begin after its segmentation's deadline has passed.
_MARGIN_SECONDS = 30


class Client:
    """A service and a key for it; from PDORA_URL and PDORA_KEY where they are left out.

    Every call raises ApiError with the service's stable code, and UnreachableError where there is no answer. One client
    is for one thread. As a context manager it closes its connections at the end.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        url, key = url or os.environ.get("PDORA_URL"), key or os.environ.get("PDORA_KEY")
        if not url or not key:
            raise ValueError("expected url and key, or PDORA_URL and PDORA_KEY in the environment")
        self._transport = Transport(url, key)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def segment(
        self,
        adapter: str,
        image: Any,
        *,
        output: Output = "labels",
        format: Format = "nifti",
        as_: Kind = "nibabel",
        deadline: float | None = None,
        report: bool = False,
    ) -> Any:
        """The label map, or probabilities, on exactly the image's grid.

        `image` is a path, bytes, a nibabel image or a MetaTensor, or a mapping of these by the adapter's channels.
        `adapter` is a reference such as "hippocampus@prod", or "__base__". `deadline` is in seconds (90; 600 at most).
        `as_` chooses a nibabel image, a "metatensor" or the whole "result", which has a `report` where that is asked for;
        a `format` of "nrrd", for 3D Slicer, can be had as "result" alone.
        What is too large for one request (95 MB) goes in parts, and its segmentation is waited for.
        """
        check_kind(as_, format)
        sources = _sources(image)
        if _size(sources) > DIRECT_MOST_BYTES:
            job = self.submit(adapter, image, output=output, format=format, deadline=deadline)
            result = job.result(as_="result")
            return (result if not report else result.with_report(job.report())).as_(as_)
        body, headers = _body(sources)
        query = _query(adapter, output, format, deadline) | {"report": "true" if report else None}
        most_seconds = (deadline or _DEADLINE_SECONDS) + _MARGIN_SECONDS
        reply = self._transport.call(
            "POST", "/v1/segmentations", query=query, headers=headers, body=body, most_seconds=most_seconds
        )
        return read_segmentation(reply.headers, reply.content).as_(as_)

    def submit(
        self,
        adapter: str,
        image: Any,
        *,
        output: Output = "labels",
        format: Format = "nifti",
        deadline: float | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Hands in a segmentation to be done later; arguments as of `segment`, with a day as the longest deadline.

        It is handed in once however often the call had to be made. With an `idempotency_key` of one's own that holds
        between programs too, for 24 hours.
        """
        sources = _sources(image)
        query = _query(adapter, output, format, deadline)
        headers = {"idempotency-key": idempotency_key or str(uuid4()), "prefer": "respond-async"}
        call = {"query": query, "repeatable": True}
        if _size(sources) > DIRECT_MOST_BYTES:
            return self._submit_uploads(adapter, sources, headers, call)
        body, about = _body(sources)
        about["repr-digest"] = repr_digest(sha256_hex(body))
        made = self._transport.json("POST", "/v1/segmentations", body=body, headers={**headers, **about}, **call)
        return Job(self._transport, made["id"])

    def _submit_uploads(
        self, adapter: str, sources: Mapping[str | None, Source], headers: Mapping[str, str], call: Mapping[str, Any]
    ) -> Job:
        if _size(sources) > UPLOAD_MOST_BYTES:
            raise ValueError(f"{_size(sources)} bytes; at most {UPLOAD_MOST_BYTES} can be uploaded")
        uploads: dict[str, str] = {}
        try:
            for channel, source in sources.items():
                name = self._only_channel(adapter) if channel is None else channel
                uploads[name] = upload_in_parts(self._transport, source)
            values = {"inputs": uploads}
            made = self._transport.json("POST", "/v1/segmentations", values=values, headers=headers, **call)
        except BaseException:
            for upload in uploads.values():
                discard(self._transport, upload)
            raise
        return Job(self._transport, made["id"])

    def _only_channel(self, adapter: str) -> str:
        shown = self.bases()[0] if adapter == _BASE else self.adapter(adapter)
        if len(shown["channels"]) != 1:
            raise ValueError(f"{adapter} has the channels {', '.join(shown['channels'])}: give an image for each")
        return shown["channels"][0]

    def job(self, job_id: str) -> Job:
        """A segmentation that was handed in before, by this program or another. Nothing is asked yet."""
        return Job(self._transport, job_id)

    def jobs(self) -> Iterator[dict[str, Any]]:
        """The tenant's asynchronous segmentations as the API shows them, the newest first."""
        return self._pages("/v1/segmentations")

    def report(self, job_id: str) -> dict[str, Any]:
        """Volumes, certainty and warnings of an asynchronous segmentation that has succeeded."""
        return self.job(job_id).report()

    def push(
        self,
        model: Any,
        name: str,
        *,
        base: Any = None,
        task: Any = None,
        dtype: str = "F32",
        provenance: Mapping[str, Any] | None = None,
        alias: str | None = None,
        wait: bool = True,
        timeout: float = 600,
    ) -> Version:
        """Uploads an adapter as a version of `name` and waits until it is ready.

        `model` is a file, a stored `pdora.Adapter`, or a network that `pdora.attach` was used on, which is saved as
        `save_adapter` does with `base` (a `pdora.Base` or its file), `task`, `dtype` and `provenance`. An `alias` is
        moved to the version once it is ready. Raises RejectedError with everything that is wrong with the file, and
        TimeoutError after `timeout` seconds of waiting.
        """
        if alias is not None and not wait:
            raise ValueError("an alias moves to a version that is ready: wait=False cannot have one")
        with stored(model, name, base=base, task=task, dtype=dtype, provenance=provenance) as path:
            version = push_file(self._transport, path, name)
        if not wait:
            return version
        version = await_verdict(self._transport, version, timeout)
        if alias is not None:
            at = self.adapter(name)["aliases"].get(alias)
            if at != version.version:
                self.set_alias(name, alias, version.version, expected=at)
        return version

    def bases(self) -> list[dict[str, Any]]:
        """The bases that are served, as the API shows them."""
        return list(self._pages("/v1/bases"))

    def adapters(self) -> Iterator[dict[str, Any]]:
        """The adapters that the key may use: the tenant's own, those granted to it, public ones."""
        return self._pages("/v1/adapters")

    def adapter(self, ref: str) -> dict[str, Any]:
        """An adapter as the API shows it: channels, labels, versions with status and problems, aliases."""
        return self._transport.json("GET", adapter_path(ref))

    def set_alias(self, name: str, alias: str, version: int, *, expected: int | None) -> None:
        """Moves an alias from the version `expected` (None: it must not exist) to another, which must be ready.

        Raises ApiError `alias_conflict`, which says where the alias is, where somebody else has moved it.
        """
        values = {"version": version, "expected": expected}
        self._transport.call("PUT", self._alias_path(name, alias), values=values)

    def delete_alias(self, name: str, alias: str, *, expected: int | None = None) -> None:
        """Deletes an alias; with `expected`, only while it is at that version."""
        self._transport.call("DELETE", self._alias_path(name, alias), query={"expected": expected})

    def delete_version(self, name: str, version: int) -> None:
        """Deletes a version. Raises ApiError `in_use` while an alias is at it."""
        self._transport.call("DELETE", f"{adapter_path(name)}/versions/{version}")

    def delete_adapter(self, name: str) -> None:
        """Deletes an adapter with all its versions."""
        self._transport.call("DELETE", adapter_path(name))

    @staticmethod
    def _alias_path(name: str, alias: str) -> str:
        return f"{adapter_path(name)}/aliases/{quote(alias, safe='')}"

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = self._transport.json("GET", path, query={"cursor": cursor})
            yield from page["data"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return


def _query(adapter: str, output: Output, format: Format, deadline: float | None) -> dict[str, Any]:
    return {"adapter": adapter, "output": output, "format": None if format == "nifti" else format, "deadline": deadline}


def _sources(image: Any) -> dict[str | None, Source]:
    """By channel; None stands for the only one, where it came without its name."""
    if not isinstance(image, Mapping):
        return {None: source_of(image)}
    if not image:
        raise ValueError("expected an image for each of the adapter's channels, found none")
    return {str(channel): source_of(one) for channel, one in image.items()}


def _size(sources: Mapping[str | None, Source]) -> int:
    return sum(source.size for source in sources.values())


def _body(sources: Mapping[str | None, Source]) -> tuple[Source, dict[str, str]]:
    """One body and what its headers say: the file itself, or a form of channels."""
    if None in sources:
        return sources[None], {"content-type": "application/octet-stream"}
    form = FormSource({str(channel): source for channel, source in sources.items()})
    return form, {"content-type": form.content_type}
