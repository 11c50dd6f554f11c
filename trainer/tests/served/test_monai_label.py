"""MONAI Label's own Python client gets the masks of the public API."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# It is installed without what its distribution needs (pip install --no-deps monailabel), and needs Python's `cgi`, which
# ended with 3.12.
if os.environ.get("CI") and sys.version_info < (3, 13):
    client_module = importlib.import_module("monailabel.client.client")
else:
    client_module = pytest.importorskip("monailabel.client.client", exc_type=ImportError)

MODEL = "ward/head"


@pytest.fixture(scope="module")
def key(admin) -> str:
    values = {"name": "monai label", "scopes": ["segment"]}
    return admin.call("POST", "/v1/tenants/ward/keys", values=values).json()["key"]


@pytest.fixture(params=["key", "link"])
def monai_label(request, serve, admin, key, tmp_path: Path) -> Iterator[Any]:
    """A client that has logged in, or one that came by a link."""
    serve("head")
    if request.param == "key":
        client = client_module.MONAILabelClient(f"{admin.url}/monailabel", str(tmp_path), "user-xyz")
        assert client.auth_enabled()
        client.update_auth(client.auth_token("ward", key))
        assert client.auth_valid_token()
        yield client
        return
    link = admin.call("POST", "/v1/tenants/ward/links", values={"name": "viewer"}).json()
    client = client_module.MONAILabelClient(link["url"], str(tmp_path), "user-xyz")
    assert not client.auth_enabled()
    yield client
    assert admin.call("DELETE", f"/v1/tenants/ward/links/{link['id']}").status == 204
    with pytest.raises(client_module.MONAILabelClientException):
        client.info()


def test_the_masks_are_those_of_the_api_by_file_by_session_and_by_image(monai_label, serve, hippocampus):
    expected = hashlib.sha256(serve("head").reply.body).hexdigest()
    image = str(hippocampus)

    info = monai_label.info()
    assert info["models"][MODEL]["type"] == "segmentation"
    assert info["models"][MODEL]["labels"] == {"anterior": 1, "posterior": 2}
    assert not monai_label.train_status(check_if_running=True)

    def check(result: tuple[str, dict[str, Any]]) -> None:
        file, params = result
        assert file.endswith(".nii.gz")
        assert hashlib.sha256(Path(file).read_bytes()).hexdigest() == expected
        assert params["label_names"] == {"anterior": 1, "posterior": 2}
        assert params["latencies"]["total"] > 0

    check(monai_label.infer(MODEL, "", {"deadline": 300}, file=image))
    session = monai_label.create_session(image)["session_id"]
    check(monai_label.infer(MODEL, "", {"deadline": 300}, session_id=session))
    assert monai_label.get_session(session)["name"] == session
    assert monai_label.upload_image(image, "MR head 1") == {"image": "MR head 1"}
    check(monai_label.infer(MODEL, "MR head 1", {"deadline": 300}))
    assert monai_label.datastore()["total"] == 1
    assert monai_label.remove_session(session)["name"] == session
    with pytest.raises(client_module.MONAILabelClientException):
        monai_label.infer(MODEL, "", {}, session_id=session)


def test_a_mask_is_nrrd_where_the_module_of_3d_slicer_asks_for_it(monai_label, serve, tenant, hippocampus, tmp_path):
    serve("head")
    expected = hashlib.sha256(tenant.segment("head", hippocampus, format="nrrd").body).hexdigest()
    for extension in (".nrrd", ".seg.nrrd"):
        params = {"deadline": 300, "result_extension": extension, "result_dtype": "uint8"}
        assert monai_label.upload_image(str(hippocampus), "MR head 2") == {"image": "MR head 2"}
        file, told = monai_label.infer(MODEL, "MR head 2", params)
        assert file.endswith(extension)
        assert hashlib.sha256(Path(file).read_bytes()).hexdigest() == expected
        assert told["label_names"] == {"anterior": 1, "posterior": 2}


def test_a_wrong_key_and_another_tenants_name_are_no_login(admin, key, tmp_path):
    client = client_module.MONAILabelClient(f"{admin.url}/monailabel", str(tmp_path))
    for tenant, password in (("ward", "wrong"), ("nobody", key)):
        with pytest.raises(client_module.MONAILabelClientException):
            client.auth_token(tenant, password)


def test_what_is_wrong_with_an_image_is_said(monai_label, tmp_path):
    damaged = tmp_path / "damaged.nii.gz"
    damaged.write_bytes(b"not a volume")
    with pytest.raises(client_module.MONAILabelClientException) as refused:
        monai_label.infer(MODEL, "", {}, file=str(damaged))
    # The client keeps the reply in its message alone: "Status: 422; Response: {…}".
    status, _, reply = refused.value.msg.partition("; Response: ")
    assert status == "Status: 422"
    told = json.loads(reply)
    assert told["code"] == "invalid_volume"
    assert told["detail"] and told["request_id"]
