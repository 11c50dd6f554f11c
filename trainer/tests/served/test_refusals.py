"""Adapters that do not belong to the base they name are not served, and the service goes on."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from served.cases import write_adapter

from pdora import build_network, save_base


@pytest.fixture(scope="module")
def other_base(base, tmp_path_factory):
    torch.manual_seed(9)
    path = tmp_path_factory.mktemp("other") / "base.safetensors"
    return save_base(build_network(base.architecture), path, architecture=base.architecture, task=base.task)


def test_an_adapter_of_a_base_not_served_here_is_refused_and_not_stored(tenant, other_base, heads, tmp_path):
    adapter = write_adapter(tmp_path / "a", other_base, "pdora-factor-in", heads)
    reply = tenant.upload("foreign", adapter.path)
    assert (reply.status, reply.json()["code"]) == (422, "invalid_adapter")
    assert [problem["code"] for problem in reply.json()["problems"]] == ["unknown_base"]
    assert tenant.call("GET", "/v1/adapters/foreign").status == 404


@pytest.mark.parametrize(("case", "code"), [("pdora-factor-in", "wrong_base"), ("lora", "selftest")])
def test_an_adapter_of_another_base_under_this_ones_digest_is_rejected(
    serve, tenant, base, other_base, heads, hippocampus, tmp_path, case, code
):
    adapter = write_adapter(tmp_path / "a", other_base, case, heads)
    shown = tenant.push(f"mistaken-{case}", _renamed(adapter.path, tmp_path / "b", base.digest))
    assert shown["status"] == "rejected"
    assert code in {problem["code"] for problem in shown["problems"]}
    reply = tenant.segment(f"mistaken-{case}", hippocampus)
    assert (reply.status, reply.json()["code"]) == (409, "adapter_not_ready")
    good = serve(case)
    assert tenant.segment(case, hippocampus).body == good.reply.body


def _renamed(source: Path, path: Path, base: str) -> Path:
    """The same file with another base's digest in its manifest."""
    with safe_open(source, "pt") as file:
        metadata = file.metadata()
    manifest = json.loads(metadata["manifest"]) | {"base": base}
    save_file(load_file(source), path, metadata=metadata | {"manifest": json.dumps(manifest)})
    return path
