"""Bodies that are streamed with their length told, and may be opened again for another try."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

import nibabel
import numpy as np

_CHUNK_BYTES = 1 << 20


class Source(Protocol):
    """A file or bytes, of a known size."""

    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO: ...


class FileSource:
    """A file of the disk."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.size = self._path.stat().st_size

    def open(self) -> BinaryIO:
        return self._path.open("rb")


class BytesSource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def open(self) -> BinaryIO:
        return io.BytesIO(self._content)


class FormSource:
    """`multipart/form-data` with a part a channel, one source after the other. File names never travel."""

    def __init__(self, channels: Mapping[str, Source]) -> None:
        self._boundary = f"pdora-{secrets.token_hex(16)}"
        self.content_type = f"multipart/form-data; boundary={self._boundary}"
        pieces: list[Source] = []
        for channel, source in channels.items():
            pieces += [BytesSource(self._head(channel)), source, BytesSource(b"\r\n")]
        self._pieces = [*pieces, BytesSource(f"--{self._boundary}--\r\n".encode())]
        self.size = sum(piece.size for piece in self._pieces)

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Joined(self._pieces), _CHUNK_BYTES)

    def _head(self, channel: str) -> bytes:
        name = quote(channel, safe=" ")
        lines = (
            f"--{self._boundary}",
            f'content-disposition: form-data; name="{name}"; filename="volume.nii.gz"',
            "content-type: application/octet-stream",
        )
        return "\r\n".join([*lines, "", ""]).encode()


class PartSource:
    """`size` bytes of another source, from `start` on."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source, self._start, self.size = source, start, size

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Part(self._source.open(), self._start, self.size), _CHUNK_BYTES)


class _Joined(io.RawIOBase):
    def __init__(self, pieces: Sequence[Source]) -> None:
        self._left = list(pieces)
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._file is None:
                if not self._left:
                    return 0
                self._file = self._left.pop(0).open()
            chunk = self._file.read(len(buffer))
            if chunk:
                buffer[: len(chunk)] = chunk
                return len(chunk)
            self._file.close()
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


class _Part(io.RawIOBase):
    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._left = file, size
        file.seek(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._file.read(min(len(buffer), self._left))
        self._left -= len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._file.close()
        super().close()


def source_of(volume: Any) -> Source:
    """The file of a volume: a path, bytes, a nibabel image, or a MONAI MetaTensor ([i, j, k] or [1, i, j, k]).

    Raises TypeError for anything else and ValueError for what is empty or has more than one channel.
    """
    if isinstance(volume, (str, os.PathLike)):
        source: Source = FileSource(volume)
    elif isinstance(volume, (bytes, bytearray, memoryview)):
        source = BytesSource(bytes(volume))
    elif isinstance(volume, nibabel.spatialimages.SpatialImage):
        source = BytesSource(_nifti(volume))
    elif hasattr(volume, "affine") and hasattr(volume, "as_tensor"):
        source = BytesSource(_nifti(_image_of_metatensor(volume)))
    else:
        raise TypeError(f"expected a path, bytes, a nibabel image or a MetaTensor, found {type(volume).__name__}")
    if source.size == 0:
        raise ValueError("the volume is empty")
    return source


def sha256_hex(source: Source) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(source):
        digest.update(chunk)
    return digest.hexdigest()


def repr_digest(sha256: str) -> str:
    """The field `Repr-Digest` (RFC 9530) of a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def chunks(source: Source) -> Iterator[bytes]:
    with closing(source.open()) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _nifti(image: nibabel.spatialimages.SpatialImage) -> bytes:
    if not isinstance(image, nibabel.Nifti1Image):
        image = nibabel.Nifti1Image(np.asanyarray(image.dataobj), image.affine)
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _image_of_metatensor(volume: Any) -> nibabel.Nifti1Image:
    array, affine = volume.as_tensor().detach().cpu().numpy(), np.asarray(volume.affine.cpu(), dtype=np.float64)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise ValueError(f"expected one channel [i, j, k] or [1, i, j, k], found {list(array.shape)}")
    return nibabel.Nifti1Image(array.astype(np.float32, copy=False), affine)
