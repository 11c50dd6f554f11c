"""The base digest: what adapters name, whatever container the base's tensors lie in."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def base_digest(path: str | Path) -> str:
    """`sha256:<hex>` over the architecture and, in bytewise order of their names, the tensors as stored."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        manifest = json.loads(header.pop("__metadata__")["manifest"])
        digest = hashlib.sha256(canonical_json(manifest["architecture"]))
        for name in sorted(header, key=str.encode):
            info = header[name]
            begin, end = info["data_offsets"]
            for piece in (name, info["dtype"], ",".join(map(str, info["shape"]))):
                digest.update(b"\0" + piece.encode())
            file.seek(8 + length + begin)
            digest.update(b"\0" + file.read(end - begin))
    return f"sha256:{digest.hexdigest()}"
