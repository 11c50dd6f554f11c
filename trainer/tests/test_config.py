from pathlib import Path

import pytest
import yaml

from pdora.checks import ConfigError
from pdora.config import read_config
from pdora.ranks import Ranks


def valid(cases: Path) -> dict:
    return {
        "name": "boxes",
        "channels": ["T1"],
        "labels": ["background", {"name": "box", "color": [1, 2, 3]}],
        "architecture": {"feature_size": 12, "patch_merging": "fixed"},
        "preprocessing": {"spacing": [2, 2, 2.5], "intensity": {"kind": "zscore", "mask": "all"}},
        "inference": {"roi_size": [32, 32, 64], "overlap": 0.5, "blend": "gaussian"},
        "data": {
            "folder": str(cases),
            "images": ["{case}/image.nii.gz"],
            "label": "{case}/label.nii.gz",
            "train": ["1-2"],
            "test": [4],
        },
        "training": {"steps": 3, "learning_rate": 0.001},
    }


def read(tmp_path, values, kind="base"):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return read_config(path, kind)


def test_a_config_is_read_with_its_defaults(tmp_path, cases):
    config = read(tmp_path, valid(cases))
    assert config.architecture.in_channels == 1
    assert config.architecture.out_channels == 2
    assert config.task.labels[1] == {"value": 1, "name": "box", "color": [1, 2, 3]}
    assert config.task.preprocessing["orientation"] is None
    assert config.data.train == ["1", "2"]
    assert config.data.test == ["4"]
    assert config.training.crop_ratios == [1, 1]
    # A flip would swap left and right, so none happens unless it is asked for.
    assert config.training.augmentation.flip_axes == []
    assert config.dtype == "F32"


WRONG = [
    ("stepz: 1", "unknown key: stepz", lambda c: c.update(stepz=1)),
    ("training.epochs", "unknown key: training.epochs", lambda c: c["training"].update(epochs=1)),
    ("two", "unknown key: data.a, data.b", lambda c: c["data"].update(a=1, b=2)),
    ("method in a base", "unknown key: method", lambda c: c.update(method={})),
    ("missing", "training.steps: missing", lambda c: c["training"].pop("steps")),
    ("no merging", "architecture.patch_merging: missing", lambda c: c["architecture"].pop("patch_merging")),
    ("merging", "patch_merging: expected one of", lambda c: c["architecture"].update(patch_merging="new")),
    ("feature size", "feature_size: expected a multiple of 12", lambda c: c["architecture"].update(feature_size=20)),
    ("kind", "training.steps: expected int, found 'many'", lambda c: c["training"].update(steps="many")),
    ("true", "training.steps: expected int, found True", lambda c: c["training"].update(steps=True)),
    ("zero", "training.steps: expected at least 1", lambda c: c["training"].update(steps=0)),
    ("name", "name: expected", lambda c: c.update(name="Box Model")),
    ("window", "roi_size: expected multiples of 32", lambda c: c["inference"].update(roi_size=[48, 64, 64])),
    ("one voxel", "one of them at least 64", lambda c: c["inference"].update(roi_size=[32, 32, 32])),
    ("overlap", "inference.overlap: expected 0 to 0.8", lambda c: c["inference"].update(overlap=0.9)),
    ("spacing", "spacing: expected 0.3 to 10 mm", lambda c: c["preprocessing"].update(spacing=[2, 2, 20])),
    ("orientation", "three letters", lambda c: c["preprocessing"].update(orientation="RAR")),
    ("mask", "intensity.mask: missing", lambda c: c["preprocessing"].update(intensity={"kind": "zscore"})),
    (
        "range",
        "unknown key: preprocessing.intensity.from",
        lambda c: c["preprocessing"]["intensity"].update({"from": [0, 1]}),
    ),
    ("gap", "labels run from 0 without a gap", lambda c: c.update(labels=["background", {"name": "box", "value": 2}])),
    (
        "sigmoid",
        "training is for softmax",
        lambda c: c.update(activation="sigmoid", regions=[{"name": "b", "value": 1}]),
    ),
    ("no file", "case 9 has no file", lambda c: c["data"].update(test=[9])),
    ("leak", "also held out: 2", lambda c: c["data"].update(validation=[2])),
    ("images", "data.images: expected one for each of 1", lambda c: c["data"].update(images=["a", "b"])),
    ("weights", "class_weights: expected 2 numbers", lambda c: c["training"].update(class_weights=[1])),
    ("store", "store.dtype: expected one of F32, F16", lambda c: c.update(store={"dtype": "F8"})),
]


@pytest.mark.parametrize(("message", "change"), [wrong[1:] for wrong in WRONG], ids=[wrong[0] for wrong in WRONG])
def test_errors_name_the_key(tmp_path, cases, message, change):
    values = valid(cases)
    change(values)
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, values)


def test_an_adapter_config_names_its_base_and_method(tmp_path, cases):
    values = valid(cases)
    del values["architecture"]
    values |= {"base": "models/base.safetensors", "method": {"rank": 4, "train": ["decoder"], "norm_axis": "out"}}
    config = read(tmp_path, values, "adapter")
    assert config.base == tmp_path / "models/base.safetensors"
    assert config.method.targets == ["qkv", "linear1", "linear2"]
    assert config.method.options == {"form": "factor", "norm_axis": "out"}
    values["method"]["form"] = "sum"
    with pytest.raises(ConfigError, match=r"method.form: expected one of factor, additive, found 'sum'"):
        read(tmp_path, values, "adapter")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"name": "qlora"}, r"method.name: expected one of lora, .*, full, found 'qlora'"),
        ({"name": "lora", "form": "factor"}, "unknown key: method.form"),
        ({"name": "map", "scale": 2.0}, "unknown key: method.scale"),
        ({"name": "pdora", "form": "factor", "scale": 2.0}, "unknown key: method.scale"),
        ({"name": "bora", "norm_axis": "in"}, "unknown key: method.norm_axis"),
        ({"name": "lora", "alpha": 8, "scale": 2.0}, "unknown key: method.scale"),
        ({"name": "lora", "rslora": True}, "unknown key: method.rslora"),
        ({"name": "delta", "rank": 4}, "unknown key: method.rank"),
        ({"name": "head", "targets": ["qkv"]}, "unknown key: method.targets"),
        ({"name": "lora", "rank_energy": 2}, "method.rank_energy: expected more than 0"),
        ({"name": "lora", "rank_pattern": {"qkv": "4"}}, "method.rank_pattern: expected a rank for each pattern"),
        ({"name": "lora", "rank_pattern": {"[": 4}}, "method.rank_pattern: .* no regular expression"),
    ],
)
def test_a_method_takes_only_what_it_uses(tmp_path, cases, method, message):
    values = valid(cases)
    del values["architecture"]
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, values | {"base": "base.safetensors", "method": method}, "adapter")


def test_ranks_of_a_config(tmp_path, cases):
    values = valid(cases)
    del values["architecture"]
    values |= {"base": "b", "method": {"name": "pissa", "rank": 32, "rank_energy": 0.8, "rank_pattern": {"qkv": 4}}}
    config = read(tmp_path, values, "adapter")
    assert config.method.ranks == Ranks(32, {"qkv": 4}, 0.8)
    assert config.method.options == {"scale": 1.0}


def test_what_is_not_yaml_is_said(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: [1")
    with pytest.raises(ConfigError, match="not YAML"):
        read_config(path, "base")


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_shipped_configs_are_right_but_for_their_data(tmp_path, path):
    with pytest.raises(ConfigError, match=r"data: case \d+ has no file"):
        read_config(path, "base" if path.stem.endswith("base") else "adapter", tmp_path)
