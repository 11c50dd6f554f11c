"""Adding to a stored file what its training images were like."""

import pytest
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from test_config import valid

from pdora import load_adapter, load_base
from pdora.cli import main
from pdora.digest import base_digest


@pytest.fixture
def config(tmp_path, cases, base_file):
    values = valid(cases)
    del values["architecture"]
    values |= {"name": "deep", "base": str(base_file), "method": {"rank": 4, "targets": ["qkv"]}}
    path = tmp_path / "deep.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def described(file, config, out) -> int:
    return main(["describe", str(file), "--config", str(config), "-o", str(out)])


def test_the_inputs_are_said_and_no_weight_changes(tmp_path, config, base_file, adapter_file):
    out = tmp_path / "described.safetensors"
    assert described(adapter_file, config, out) == 0
    before, after = load_file(adapter_file), load_file(out)
    assert list(before) == list(after)
    assert all(before[name].numpy().tobytes() == after[name].numpy().tobytes() for name in before)
    base = load_base(base_file)
    old, new = load_adapter(adapter_file, base).manifest, load_adapter(out, base).manifest
    inputs = new["provenance"].pop("inputs")
    assert old == new
    assert inputs["spacing"] == [[2, 2]] * 3
    assert inputs["extent"] == [[64, 64], [68, 68], [120, 120]]
    assert 400 < inputs["intensities"]["T1"]["p99"][0] <= inputs["intensities"]["T1"]["p99"][1] < 600
    # In place, and once more the same.
    content = out.read_bytes()
    assert described(out, config, out) == 0
    assert out.read_bytes() == content


def test_a_base_keeps_its_digest(tmp_path, cases, base_file):
    config, out = tmp_path / "base.yaml", tmp_path / "base.safetensors"
    config.write_text(yaml.safe_dump(valid(cases) | {"name": "tissue"}))
    assert described(base_file, config, out) == 0
    assert base_digest(out) == base_digest(base_file)
    assert "inputs" in load_base(out).manifest["provenance"]


def test_what_does_not_belong_together_is_refused(tmp_path, config, adapter_file, capsys):
    out = tmp_path / "out.safetensors"
    other = tmp_path / "other.yaml"
    other.write_text(config.read_text().replace("name: deep", "name: other"))
    assert described(adapter_file, other, out) == 1
    assert "is deep" in capsys.readouterr().err
    assert described(config, config, out) == 1
    assert "not a base or an adapter" in capsys.readouterr().err
    assert not out.exists()


def test_what_the_file_says_already_stays(tmp_path, config, cases, adapter_file, capsys):
    out = tmp_path / "out.safetensors"
    assert described(adapter_file, config, out) == 0
    values = yaml.safe_load(config.read_text())
    values["data"] |= {"train": [4], "validation": [], "test": []}
    config.write_text(yaml.safe_dump(values))
    assert described(out, config, out) == 1
    assert "has other inputs already" in capsys.readouterr().err
    with safe_open(out, "pt") as file:
        assert "inputs" in file.metadata()["manifest"]
