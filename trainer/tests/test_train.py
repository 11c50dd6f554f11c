import json

import nibabel
import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from test_config import valid

from pdora import load_adapter, load_base, predict
from pdora.cli import main
from pdora.config import read_config
from pdora.data import Samples, prepare_cases
from pdora.predict import dice


@pytest.fixture
def adapter_config(tmp_path, cases, base_file):
    values = valid(cases)
    del values["architecture"]
    values |= {"base": str(base_file), "method": {"rank": 4, "targets": ["qkv"]}, "store": {"dtype": "F16"}}
    values["data"]["test"] = []
    values["training"] |= {"steps": 2, "learning_rate": 0.01, "warmup_steps": 0, "checkpoint_every": 1}
    path = tmp_path / "adapter.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def tensors_of(path):
    return load_file(path)


def test_an_adapter_is_trained_from_the_stored_base(tmp_path, adapter_config, base_file):
    out = tmp_path / "a.safetensors"
    assert main(["adapter", "--config", str(adapter_config), "--out", str(out)]) == 0
    base = load_base(base_file)
    adapter = load_adapter(out, base)
    assert adapter.manifest["provenance"]["datasets"][0]["train"] == ["1", "2"]
    inputs = adapter.manifest["provenance"]["inputs"]
    assert inputs["spacing"] == [[2, 2]] * 3
    assert inputs["extent"] == [[64, 64], [68, 68], [120, 120]]
    assert 400 < inputs["intensities"]["T1"]["p99"][0] <= inputs["intensities"]["T1"]["p99"][1] < 600
    tensors = tensors_of(out)
    for target in adapter.manifest["targets"]:
        name = target["parameter"]
        assert not torch.equal(tensors[f"{name}::up"], tensors[f"{name}::up0"])
        # Of the stored, rounded weight: the residual is orthogonal to the factors at the start.
        w0 = base.model.get_parameter(name).double()
        principal = tensors[f"{name}::up0"].double() @ tensors[f"{name}::down0"].double()
        assert (principal.T @ (w0 - principal)).norm() < 1e-6 * w0.norm() ** 2
    # What is not named is the base's, untouched.
    frozen = "encoder1.layer.conv1.conv.weight"
    assert torch.equal(adapter.model.get_parameter(frozen), base.model.get_parameter(frozen))


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path, adapter_config, monkeypatch):
    unbroken, broken = tmp_path / "unbroken.safetensors", tmp_path / "broken.safetensors"
    arguments = ["adapter", "--config", str(adapter_config), "--out"]
    assert main([*arguments, str(unbroken)]) == 0

    draw = Samples.__getitem__

    def interrupted(self, index):
        if self._start + index == 1:
            raise KeyboardInterrupt
        return draw(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(Samples, "__getitem__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            main([*arguments, str(broken)])
    assert not broken.exists()
    assert main([*arguments, str(broken), "--resume"]) == 0
    expected, found = tensors_of(unbroken), tensors_of(broken)
    assert all(torch.allclose(found[name].float(), tensor.float(), atol=1e-6) for name, tensor in expected.items())


def test_a_checkpoint_of_another_config_is_refused(tmp_path, adapter_config, capsys):
    arguments = ["adapter", "--config", str(adapter_config), "--out", str(tmp_path / "a.safetensors"), "--resume"]
    assert main(arguments) == 0
    adapter_config.write_text(adapter_config.read_text().replace("learning_rate: 0.01", "learning_rate: 0.02"))
    assert main(arguments) == 1
    assert "belongs to another config" in capsys.readouterr().err


def test_a_base_is_trained_stored_and_measured(tmp_path, cases, capsys):
    values = valid(cases)
    values["training"] |= {"steps": 2, "validate_every": 1}
    values["data"]["validation"] = [3]
    config = tmp_path / "base.yaml"
    config.write_text(yaml.safe_dump(values))
    out = tmp_path / "base.safetensors"
    assert main(["base", "--config", str(config), "--out", str(out)]) == 0
    assert "validation Dice box" in capsys.readouterr().out
    base = load_base(out)
    with safe_open(out, "pt") as file:
        metric = json.loads(file.metadata()["manifest"])["provenance"]["metrics"][0]
    found = predict(base.model, base.task, [cases / "4/image.nii.gz"])
    truth = np.asarray(nibabel.load(cases / "4/label.nii.gz").dataobj)
    assert metric["cases"] == {"4": pytest.approx(dice(found, truth, 1), abs=1e-4)}


def test_a_wrong_config_ends_with_its_message(tmp_path, cases, capsys):
    config = tmp_path / "base.yaml"
    config.write_text(yaml.safe_dump(valid(cases) | {"epochs": 1}))
    assert main(["base", "--config", str(config)]) == 1
    assert "unknown key: epochs" in capsys.readouterr().err


def test_samples_keep_image_and_label_together(tmp_path, cases):
    values = valid(cases)
    values["training"]["augmentation"] = {"rotate_degrees": 20, "scale": 0.1, "flip_axes": [0], "noise": 0.1}
    values["preprocessing"]["orientation"] = "RAS"
    config_file = tmp_path / "base.yaml"
    config_file.write_text(yaml.safe_dump(values))
    config = read_config(config_file, "base")
    samples = Samples(config, prepare_cases(config, ["1", "2", "3"]), 0, 6)
    for index in range(6):
        sample = samples[index]
        assert sample["image"].shape == sample["label"].shape == (1, 32, 32, 64)
        bright = sample["image"] > sample["image"].mean() + sample["image"].std()
        assert dice(bright.numpy(), sample["label"].numpy(), 1) > 0.8
        assert torch.equal(Samples(config, samples._cases, index, 6)[0]["image"], sample["image"])


def test_a_label_that_the_task_has_not_is_an_error(tmp_path, cases):
    values = valid(cases)
    values["data"]["label"] = "{case}/image.nii.gz"
    config_file = tmp_path / "base.yaml"
    config_file.write_text(yaml.safe_dump(values))
    config = read_config(config_file, "base")
    with pytest.raises(ValueError, match="for 2 labels"):
        prepare_cases(config, ["1"])
