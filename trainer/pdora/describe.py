"""Saying in a stored file what its training images were like, where the training itself did not."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LENGTH_BYTES = 8
_ALIGNMENT = 8


def manifest_of(path: str | Path) -> dict[str, Any]:
    """Of a base or an adapter. Raises ValueError for another file."""
    return _read(path)[1]


def with_provenance(path: str | Path, out: str | Path, added: Mapping[str, Any]) -> Path:
    """Copies a base or adapter file with keys added to its provenance; its tensors stay byte for byte where they are.

    Of a base the base digest stays the same too, of an adapter the file's digest changes, as it says more. Raises
    ValueError for a file without a manifest, and for one that says another thing under such a key already.
    """
    header, manifest, tensors = _read(path)
    for key, value in added.items():
        if manifest["provenance"].setdefault(key, value) != value:
            raise ValueError(f"{path}: its provenance has other {key} already")
    header["__metadata__"]["manifest"] = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    partial = Path(f"{out}.partial")
    partial.write_bytes(len(text).to_bytes(_LENGTH_BYTES, "little") + text + tensors)
    os.replace(partial, out)
    return Path(out)


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """The header, the manifest in it, and the bytes of all tensors."""
    content = Path(path).read_bytes()
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    try:
        header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length])
        return header, json.loads(header["__metadata__"]["manifest"]), content[_LENGTH_BYTES + length :]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a base or an adapter") from error
