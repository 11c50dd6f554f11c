"""The client against a server that answers as told: what is sent, what is tried again, what is raised."""

import gzip
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from pdora import Client
from pdora.client import ApiError, JobError, RejectedError, UnreachableError
from pdora.client.sources import BytesSource, FormSource, PartSource

DIGEST = "sha256:" + "0" * 64
MADE = {
    "x-adapter-id": "ward/a",
    "x-adapter-version": "2",
    "x-adapter-digest": DIGEST,
    "x-base-digest": DIGEST,
    "x-adapter-cache": "hot",
    "server-timing": "queue;dur=1.5, infer;dur=20.0",
}
AFFINE = np.array([[-1.5, 0.1, 0, 7], [0, 2, 0, -3], [0, 0, 2.5, 11], [0, 0, 0, 1]])


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Stub:
    """Answers in turn what it was given: (status, headers, body), a body of JSON, or None to break the connection."""

    answers: list[Any] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def stub():
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            stub.calls.append(Call(self.command, self.path, headers, body))
            answer = stub.answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            status, sent, body = answer if isinstance(answer, tuple) else (200, {}, answer)
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**sent, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def pauses(monkeypatch):
    """What the client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture
def client(stub, pauses, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Where the sleep is a default, it was bound before.
    made = Client(stub.url, "secret")
    made._transport._sleep = pauses.append
    with made:
        yield made


def nifti(array: np.ndarray, kind: type = nibabel.Nifti1Image) -> bytes:
    return gzip.compress(kind(array, AFFINE).to_bytes())


def problem(status: int, code: str, headers: dict[str, str] | None = None, **more: Any):
    body = {"code": code, "detail": f"It is {code}.", "request_id": "r-1", "status": status, **more}
    return status, {"content-type": "application/problem+json", **(headers or {})}, body


def test_it_is_there_before_pytorch():
    code = "import sys; from pdora import Client; assert not {'torch', 'monai'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_functions_keep_their_names_beside_the_modules_they_are_in():
    code = "import pdora.files, pdora.predict; from pdora import attach, predict; assert callable(attach) and callable(predict)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_is_streamed_with_its_length_and_key(stub, client, tmp_path):
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    file = tmp_path / "t1.nii.gz"
    file.write_bytes(nifti(labels))
    stub.answers = [(200, MADE, nifti(labels))]
    image = client.segment("a@prod", file, deadline=20)
    (call,) = stub.calls
    assert (call.method, call.path) == ("POST", "/v1/segmentations?adapter=a%40prod&output=labels&deadline=20")
    assert call.body == file.read_bytes()
    assert call.headers["content-length"] == str(len(call.body))
    assert "transfer-encoding" not in call.headers
    assert call.headers["authorization"] == "Bearer secret"
    assert np.array_equal(np.asarray(image.dataobj), labels)
    assert np.allclose(image.affine, AFFINE)


def test_channels_are_a_form_of_known_length(stub, client, tmp_path):
    file = tmp_path / "DOE^JANE.nii.gz"
    file.write_bytes(b"first" * 1000)
    stub.answers = [(200, MADE, nifti(np.zeros((2, 2, 2), np.uint8)))]
    client.segment("a", {"T1 c": file, "FLAIR": b"second"})
    (call,) = stub.calls
    boundary = call.headers["content-type"].partition("boundary=")[2].encode()
    parts = call.body.split(b"--" + boundary)
    assert parts[0] == b""
    assert parts[3] == b"--\r\n"
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:3]] == [b"first" * 1000 + b"\r\n", b"second\r\n"]
    assert [b'name="T1 c"' in parts[1], b'name="FLAIR"' in parts[2]] == [True, True]
    assert b"DOE" not in call.body


def test_images_in_memory_are_sent_as_files_on_their_grid(stub, client):
    array = np.random.default_rng(1).normal(size=(4, 3, 2)).astype(np.float32)
    for volume in (
        nibabel.Nifti1Image(array, AFFINE),
        MetaTensor(torch.from_numpy(array[None]), affine=torch.from_numpy(AFFINE)),
    ):
        stub.answers = [(200, MADE, nifti(np.zeros((4, 3, 2), np.uint8)))]
        client.segment("a", volume)
        sent = nibabel.Nifti1Image.from_bytes(gzip.decompress(stub.calls[-1].body))
        assert np.array_equal(np.asarray(sent.dataobj), array)
        assert np.allclose(sent.affine, AFFINE)


def test_what_is_no_volume_is_refused_before_anything_is_sent(stub, client, tmp_path):
    (tmp_path / "empty").touch()
    for wrong, error in (
        (7, TypeError),
        (tmp_path / "empty", ValueError),
        ({}, ValueError),
        (MetaTensor(torch.zeros(2, 4, 4, 4)), ValueError),
        (tmp_path / "missing", FileNotFoundError),
    ):
        with pytest.raises(error):
            client.segment("a", wrong)
    with pytest.raises(ValueError, match="as_"):
        client.segment("a", b"x", as_="numpy")
    assert stub.calls == []


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_results_say_what_made_them_and_become_metatensors(stub, client, kind):
    chances = np.random.default_rng(2).random((2, 3, 4, 5)).astype(">f4")
    stub.answers = [(200, MADE, nifti(chances, kind))] * 2
    result = client.segment("a", b"x", output="probabilities", as_="result")
    assert (result.adapter, result.adapter_version, result.cache) == ("ward/a", 2, "hot")
    assert (result.timing, result.report) == ({"queue": 1.5, "infer": 20.0}, None)
    assert isinstance(result.image(), kind)
    tensor = client.segment("a", b"x", output="probabilities", as_="metatensor")
    assert tensor.shape == (5, 2, 3, 4)
    assert np.array_equal(tensor.numpy(), np.moveaxis(chances, -1, 0))
    assert np.allclose(tensor.affine, AFFINE)


def test_nrrd_is_a_file_and_no_image(stub, client, tmp_path):
    stub.answers = [(200, {**MADE, "content-type": "application/x-nrrd"}, b"NRRD0004 and so on")] * 2
    result = client.segment("a", b"x", format="nrrd", as_="result")
    assert stub.calls[0].path == "/v1/segmentations?adapter=a&output=labels&format=nrrd"
    assert result.save(tmp_path / "mask.seg.nrrd").read_bytes() == b"NRRD0004 and so on"
    with pytest.raises(ValueError, match="NRRD"):
        result.image()
    with pytest.raises(ValueError, match="NRRD"):
        client.segment("a", b"x", format="nrrd")
    assert len(stub.calls) == 1


def test_an_error_carries_what_the_service_said(stub, client):
    problems = [{"code": "tensors", "path": "manifest.targets[0]", "message": "expected rank 4"}]
    stub.answers = [problem(422, "invalid_adapter", problems=problems)]
    with pytest.raises(ApiError) as raised:
        client.adapter("a")
    error = raised.value
    assert (error.code, error.status, error.request_id, error.retry_after) == ("invalid_adapter", 422, "r-1", None)
    assert (error.problems[0].path, error.problems[0].code) == ("manifest.targets[0]", "tensors")
    assert "manifest.targets[0]: expected rank 4 (tensors)" in str(error)
    assert "secret" not in str(error)


def test_what_answers_in_the_services_place_is_an_error_too(stub, client):
    stub.answers = [(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>")]
    with pytest.raises(ApiError) as raised:
        client.adapter("a")
    assert (raised.value.code, raised.value.status) == ("unknown", 502)


def test_a_busy_service_is_tried_again_when_it_says_with_the_whole_body(stub, client, pauses):
    busy = problem(503, "runner_busy", {"retry-after": "5"})
    stub.answers = [busy, problem(429, "rate_limited", {"retry-after": "1"}), (200, MADE, nifti(np.zeros((2, 2, 2))))]
    client.segment("a", b"volume")
    assert [call.body for call in stub.calls] == [b"volume"] * 3
    assert pauses == [5.0, 2.0]


def test_quotas_and_long_pauses_are_not_waited_for(stub, client, pauses):
    for answer in (
        problem(429, "quota_exceeded", {"retry-after": "1"}),
        problem(503, "runner_busy", {"retry-after": "600"}),
        problem(503, "runner_busy"),
    ):
        stub.answers = [answer]
        with pytest.raises(ApiError):
            client.segment("a", b"volume")
    assert pauses == []


def test_a_broken_connection_is_tried_again_only_where_that_is_safe(stub, client, pauses):
    stub.answers = [None, None, {"adapter": "ward/a"}]
    assert client.adapter("a") == {"adapter": "ward/a"}
    stub.answers = [None]
    with pytest.raises(UnreachableError):
        client.segment("a", b"volume")
    stub.answers = [None, (202, {}, {"id": "j", "status": "queued"})]
    assert client.submit("a", b"volume").id == "j"
    first, second = stub.calls[-2:]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["repr-digest"] == second.headers["repr-digest"]
    assert (first.headers["prefer"], second.body) == ("respond-async", b"volume")


def test_nothing_that_answers_is_unreachable(pauses):
    with pytest.raises(UnreachableError):
        Client("http://127.0.0.1:9", "secret").segment("a", b"volume")


def test_a_failed_job_raises_what_a_synchronous_call_would_have(stub, client, pauses):
    running = {"id": "j", "status": "running", "progress": 0.5, "problem": None}
    failed = {"id": "j", "status": "failed", "problem": {"code": "invalid_volume", "detail": "No NIfTI."}, "progress": 0}
    stub.answers = [running, failed]
    job = client.job("j")
    job._sleep = pauses.append
    with pytest.raises(JobError) as raised:
        job.result(progress=True)
    assert (raised.value.code, raised.value.detail) == ("invalid_volume", "No NIfTI.")
    stub.answers = [running]
    with pytest.raises(TimeoutError):
        client.job("j").wait(timeout=0)


def test_a_job_that_has_ended_is_not_erased_by_cancelling(stub, client):
    stub.answers = [{"id": "j", "status": "succeeded"}]
    client.job("j").cancel()
    assert [call.method for call in stub.calls] == ["GET"]


def test_a_rejected_adapter_is_told_in_words(stub, client, tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"adapter")
    version = {"adapter": "ward/a", "version": 3, "digest": DIGEST, "status": "verifying"}
    problems = [{"code": "selftest", "path": "manifest.selftest", "message": "missed by 4"}]
    stub.answers = [version, {"status": "rejected", "digest": DIGEST, "problems": problems}]
    with pytest.raises(RejectedError, match="missed by 4") as raised:
        client.push(file, "a", alias="prod")
    assert raised.value.problems[0].code == "selftest"
    assert [call.path for call in stub.calls] == ["/v1/adapters/a/versions", "/v1/adapters/ward%2Fa%403"]


def test_an_alias_moves_from_where_it_was_seen(stub, client, tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"adapter")
    ready = {"status": "ready", "digest": DIGEST, "problems": [], "aliases": {"prod": 1}}
    version = {"adapter": "ward/a", "version": 3, "digest": DIGEST, "status": "ready"}
    stub.answers = [version, ready, ready, {}]
    client.push(file, "a", alias="prod")
    put = stub.calls[-1]
    assert (put.method, put.path) == ("PUT", "/v1/adapters/a/aliases/prod")
    assert json.loads(put.body) == {"version": 3, "expected": 1}


def test_large_volumes_go_in_parts_and_what_comes_to_nothing_is_deleted(stub, client, monkeypatch):
    monkeypatch.setattr("pdora.client.client.DIRECT_MOST_BYTES", 10)
    parts = [{"url": f"https://elsewhere/v1/uploads/u/parts/{n}?s=1", "size": size} for n, size in ((1, 8), (2, 4))]
    begun = {"id": "u", "parts": parts, "complete": "https://elsewhere/v1/uploads/u/complete?s=1"}
    sent = [begun, None, {}, {}, {"id": "u"}]
    shown = {"channels": ["T1"]}
    stub.answers = [shown, *sent, (202, {}, {"id": "j", "status": "queued"})]
    assert client.submit("a", b"0123456789ab").id == "j"
    puts = [(call.path, call.body) for call in stub.calls if call.method == "PUT"]
    assert puts[-2:] == [("/v1/uploads/u/parts/1?s=1", b"01234567"), ("/v1/uploads/u/parts/2?s=1", b"89ab")]
    assert json.loads(stub.calls[-1].body) == {"inputs": {"T1": "u"}}

    stub.answers = [shown, begun, {}, {}, {"id": "u"}, problem(422, "channel_mismatch"), {}]
    with pytest.raises(ApiError):
        client.submit("a", b"0123456789ab")
    assert (stub.calls[-1].method, stub.calls[-1].path) == ("DELETE", "/v1/uploads/u")


def test_lists_go_through_their_pages(stub, client):
    stub.answers = [{"data": [{"id": "1"}], "next_cursor": "c d"}, {"data": [{"id": "2"}], "next_cursor": None}]
    assert [job["id"] for job in client.jobs()] == ["1", "2"]
    assert stub.calls[-1].path == "/v1/segmentations?cursor=c+d"


def test_sources_have_the_bytes_they_promise():
    form = FormSource({"a": BytesSource(b"x" * 100_000), "b": BytesSource(b"y")})
    part = PartSource(BytesSource(bytes(range(256)) * 400), 7, 50_001)
    with part.open() as file:
        assert file.read(3) == b"\x07\x08\x09"
    for source in (form, part):
        with source.open() as whole, source.open() as bits:
            content = whole.read()
            assert len(content) == source.size
            assert b"".join(iter(lambda bits=bits: bits.read(777), b"")) == content
