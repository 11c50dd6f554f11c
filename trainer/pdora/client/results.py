"""What a segmentation answers."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np

Kind = Literal["nibabel", "metatensor", "result"]
KINDS = ("nibabel", "metatensor", "result")


@dataclass(frozen=True)
class Segmentation:
    """A label map or probabilities, with what made it.

    `body` is the file as it came: gzipped NIfTI, or `nrrd`; `adapter_version` and `adapter_digest` are None where the base ran alone;
    `timing` is in milliseconds by phase; `report` is there where it was asked for.
    """

    body: bytes
    adapter: str
    adapter_version: int | None
    adapter_digest: str | None
    base_digest: str
    cache: str
    timing: Mapping[str, float]
    report: Mapping[str, Any] | None = None
    nrrd: bool = False

    def image(self) -> nibabel.Nifti1Image:
        """On exactly the input's grid: [i, j, k] of labels, or [i, j, k, channel] of probabilities."""
        if self.nrrd:
            raise ValueError("this is NRRD, which nibabel does not read: save it, or ask for NIfTI")
        content = gzip.decompress(self.body)
        sizeof_hdr = {int.from_bytes(content[:4], order) for order in ("little", "big")}
        kind = nibabel.Nifti2Image if 540 in sizeof_hdr else nibabel.Nifti1Image
        return kind.from_bytes(content)

    def metatensor(self) -> Any:
        """A MONAI MetaTensor [1, i, j, k] of labels, or [channel, i, j, k] of probabilities."""
        import torch
        from monai.data import MetaTensor

        image = self.image()
        array = np.asarray(image.dataobj)
        array = array[None] if array.ndim == 3 else np.moveaxis(array, -1, 0)
        # Of this machine's byte order, which torch needs.
        array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))
        return MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(image.affine))

    def save(self, path: str | Path) -> Path:
        """Writes the file as it came, or a NIfTI unpacked where the name does not end in .gz."""
        path = Path(path)
        path.write_bytes(self.body if self.nrrd or path.suffix == ".gz" else gzip.decompress(self.body))
        return path

    def with_report(self, report: Mapping[str, Any]) -> Segmentation:
        return replace(self, report=report)

    def as_(self, kind: Kind) -> Any:
        """The nibabel image, the MetaTensor, or this itself. Raises ValueError for another word."""
        check_kind(kind, "nrrd" if self.nrrd else "nifti")
        return {"nibabel": self.image, "metatensor": self.metatensor, "result": lambda: self}[kind]()


def check_kind(kind: str, format: str = "nifti") -> None:
    """Before a segmentation is made that nobody could take."""
    if kind not in KINDS:
        raise ValueError(f"as_: expected one of {', '.join(KINDS)}, found {kind!r}")
    if format == "nrrd" and kind != "result":
        raise ValueError(f'format: NRRD can be had as_="result", not as {kind}')


def read_segmentation(headers: Mapping[str, str], body: bytes) -> Segmentation:
    version, report = headers.get("x-adapter-version"), headers.get("x-report")
    return Segmentation(
        body=body,
        adapter=headers["x-adapter-id"],
        adapter_version=None if version is None else int(version),
        adapter_digest=headers.get("x-adapter-digest"),
        base_digest=headers["x-base-digest"],
        cache=headers["x-adapter-cache"],
        timing=_timing(headers.get("server-timing", "")),
        report=None if report is None else json.loads(base64.b64decode(report)),
        nrrd=headers.get("content-type") == "application/x-nrrd",
    )


def _timing(header: str) -> dict[str, float]:
    phases = (phase.strip().split(";dur=") for phase in header.split(","))
    return {parts[0]: float(parts[1]) for parts in phases if len(parts) == 2}
