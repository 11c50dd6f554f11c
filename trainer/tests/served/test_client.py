"""The Python client against the running service, and every snippet of its page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from monai.data import MetaTensor
from monai.transforms import LoadImage
from served.cases import task_of

from pdora import Client, load_base
from pdora.client import ApiError, JobError

PAGE = PROJECT / "docs" / "python-client.md"


@pytest.fixture
def client(admin, tenant, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Client(admin.url, tenant.key) as made:
        yield made


def test_a_label_map_is_that_of_the_api_whatever_the_image_is_given_as(serve, client, hippocampus):
    expected = serve("head").reply
    result = client.segment("head", hippocampus, as_="result", deadline=300)
    assert result.body == expected.body
    assert (result.adapter, result.adapter_version) == ("ward/head", 1)
    labels = np.asarray(expected.image().dataobj)
    tensor = client.segment("ward/head@1", LoadImage(image_only=True)(hippocampus), as_="metatensor", deadline=300)
    assert isinstance(tensor, MetaTensor)
    assert np.array_equal(tensor.numpy()[0], labels)
    assert np.array_equal(tensor.affine.numpy(), expected.image().affine)


def test_a_job_by_body_and_by_upload_gives_the_same(serve, client, hippocampus, monkeypatch):
    expected = serve("head").reply.body
    assert client.submit("head", {"T1": hippocampus}).result(as_="result").body == expected
    with monkeypatch.context() as small:
        small.setattr("pdora.client.client.DIRECT_MOST_BYTES", 0)
        assert client.segment("head", hippocampus, as_="result").body == expected
    failed = client.submit("head", b"no volume", idempotency_key="python-client-1")
    assert client.submit("head", b"no volume", idempotency_key="python-client-1").id == failed.id
    with pytest.raises(JobError) as raised:
        failed.result()
    assert raised.value.code == "invalid_volume"
    failed.erase()
    with pytest.raises(ApiError, match="not_found"):
        failed.refresh()


def test_every_snippet_of_its_page_runs(serve, admin, client, base, hippocampus, tmp_path, monkeypatch):
    """In order, in a folder with the files that they name, and with the address and the key that they leave to the reader."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PDORA_URL", admin.url)
    monkeypatch.setenv("PDORA_KEY", client._transport._session.auth._key)
    served = serve("head").adapter.path
    Path("t1.nii.gz").write_bytes(hippocampus.read_bytes())
    Path("base.safetensors").write_bytes(base.path.read_bytes())
    Path("hippocampus.safetensors").write_bytes(served.read_bytes())
    Path("damaged.safetensors").write_bytes(served.read_bytes()[:-1])
    client.push("hippocampus.safetensors", "hippocampus", alias="prod")
    names = {"task": task_of("mine")}
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(snippets) >= 6
    for snippet in snippets:
        exec(snippet.replace('Client("http://localhost:8787", "pdora_…")', "Client()"), names)
    assert names["version"].status == "ready"
    assert load_base(Path("base.safetensors")).digest == base.digest
    assert Path("mask.nii.gz").read_bytes() == names["result"].body
