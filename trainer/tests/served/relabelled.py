"""The service with another network: label maps whose labels are known beforehand."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import nibabel
import numpy as np

Relabel = Callable[[np.ndarray], np.ndarray]
_NOT_PASSED = {"connection", "transfer-encoding", "content-length", "keep-alive", "host", "accept-encoding"}
_OPENER = build_opener(ProxyHandler({}))


@contextmanager
def relabelled(url: str, relabel: Relabel) -> Iterator[str]:
    """
    An address that passes all calls to the service at `url`. Of a label map that comes back only the voxels are others:
    what `relabel` makes of the values of the volume that was sent, on its own grid.
    """
    sent: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED}
            request = Request(url.rstrip("/") + self.path, data=body or None, headers=headers, method=self.command)
            try:
                with _OPENER.open(request, timeout=120) as reply:
                    status, given, answer = reply.status, reply.headers, reply.read()
            except HTTPError as error:
                with error:
                    status, given, answer = error.code, error.headers, error.read()
            if status == 202 and self.path.startswith("/v1/segmentations?"):
                sent[given["location"].rsplit("/", 1)[-1]] = body
            if status == 200 and self.path.endswith("/result"):
                answer = _with_labels(answer, relabel(_values(sent[self.path.split("/")[-2]])))
            self._answer(status, given, answer)

        def _answer(self, status: int, given: Message, answer: bytes) -> None:
            self.send_response(status)
            for name, value in given.items():
                if name.lower() not in _NOT_PASSED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            # A page that is left does not wait for what it asked.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = do_any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _values(body: bytes) -> np.ndarray:
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(body)).get_fdata()


def _with_labels(answer: bytes, labels: np.ndarray) -> bytes:
    """The very file of the service but for its voxels."""
    file = gzip.decompress(answer)
    image = nibabel.Nifti1Image.from_bytes(file)
    assert image.get_data_dtype() == np.uint8
    assert image.shape == labels.shape
    (offset,) = struct.unpack_from("<f", file, 108)
    return gzip.compress(file[: int(offset)] + labels.astype(np.uint8).tobytes(order="F"))
