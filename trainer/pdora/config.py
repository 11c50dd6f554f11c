"""The YAML that says what to train, on what, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pdora.attach import default_targets
from pdora.checks import ConfigError, Section
from pdora.files import DTYPES
from pdora.methods import METHODS, WHOLE
from pdora.network import Architecture
from pdora.ranks import Ranks
from pdora.task import Task, read_task


@dataclass(frozen=True)
class Data:
    """Where the cases are: paths with `{case}` in them under `folder`, and which cases serve what."""

    folder: Path
    images: list[str]
    label: str
    train: list[str]
    validation: list[str]
    test: list[str]
    source: str

    def files(self, case: str) -> tuple[list[Path], Path]:
        """Image files in channel order, and the label file."""
        return [self.folder / image.format(case=case) for image in self.images], self.folder / self.label.format(
            case=case
        )


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the random changes; 0 or an empty list leaves one out."""

    noise: float
    bias_field: float
    intensity: float
    rotate_degrees: float
    scale: float
    flip_axes: list[int]


@dataclass(frozen=True)
class Training:
    """`head_rate` times the learning rate is the head's: a fresh one has far to go while the rest only adapts.

    `bfloat16` runs the network under autocast on a CPU too, where that is the faster with AMX and the slower without.
    """

    steps: int
    batch_size: int
    learning_rate: float
    head_rate: float
    weight_decay: float
    warmup_steps: int
    crop_ratios: list[float]
    class_weights: list[float]
    augmentation: Augmentation
    workers: int
    bfloat16: bool
    checkpoint_every: int
    validate_every: int


@dataclass(frozen=True)
class AttachOptions:
    """`options` are the method's own, as `attach` takes them; the whole of parameters has neither ranks nor targets."""

    name: str
    train: list[str]
    ranks: Ranks | None = None
    targets: list[str] | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """A base config has an `architecture`; an adapter config has a `base` file and a `method`.

    `limits` are sentences on what the model is not for or was not tried on; they go into the file's provenance.
    """

    task: Task
    seed: int
    data: Data
    training: Training
    dtype: str
    limits: list[str]
    architecture: Architecture | None = None
    base: Path | None = None
    method: AttachOptions | None = None


def read_config(path: str | Path, kind: str, folder: str | Path | None = None) -> Config:
    """Read a config of `kind` base or adapter; paths in it are relative to it, `folder` overrides `data.folder`.

    Raises ConfigError, with the path of the key, for whatever is missing, unknown or out of range.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    section = Section(values, "")
    task = read_task(section)
    if task.regions is not None:
        raise ConfigError("activation: training is for softmax; regions can be served, not trained here")
    architecture = base = method = None
    if kind == "base":
        architecture = _architecture(section.section("architecture"), task)
    else:
        base = path.parent / section.get("base", str)
        method = _method(section.section("method"))
    store = section.section("store", {})
    dtype = store.choice("dtype", tuple(DTYPES), "F32")
    store.done()
    data = _data(section.section("data"), path.parent, folder, len(task.channels))
    config = Config(
        task=task,
        seed=section.count("seed", 0, low=0),
        data=data,
        training=_training(section.section("training"), task.classes),
        dtype=dtype,
        limits=_names(section, "limits", []),
        architecture=architecture,
        base=base,
        method=method,
    )
    section.done()
    return config


def _architecture(section: Section, task: Task) -> Architecture:
    architecture = {
        "feature_size": section.count("feature_size"),
        "patch_merging": section.get("patch_merging", str),
        "depths": tuple(section.numbers("depths", 4, int, [2, 2, 2, 2])),
        "num_heads": tuple(section.numbers("num_heads", 4, int, [3, 6, 12, 24])),
    }
    section.done()
    try:
        return Architecture(in_channels=len(task.channels), out_channels=task.classes, **architecture)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _method(section: Section) -> AttachOptions:
    name = section.choice("name", (*METHODS, *WHOLE), "pdora")
    ranks = targets = None
    options: dict[str, Any] = {}
    if name in METHODS:
        targets = _names(section, "targets", list(default_targets(name)))
        options = _options(section, METHODS[name].defaults())
        if METHODS[name].low_rank:
            ranks = _ranks(section)
    method = AttachOptions(name, _names(section, "train", []), ranks, targets, options)
    section.done()
    return method


def _options(section: Section, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a method has; of `scale` and `alpha` only what is given."""
    options: dict[str, Any] = {}
    if "form" in defaults:
        options["form"] = section.choice("form", ("factor", "additive"), defaults["form"])
    if "norm_axis" in defaults:
        options["norm_axis"] = section.choice("norm_axis", ("in", "out"), defaults["norm_axis"])
    if "detach_norm" in defaults:
        options["detach_norm"] = section.get("detach_norm", bool, defaults["detach_norm"])
    if "scale" not in defaults or options.get("form") == "factor":
        return options
    alpha = section.get("alpha", float, None)
    if alpha is None:
        options["scale"] = section.get("scale", float, defaults["scale"])
    else:
        options |= {"alpha": alpha, "rslora": section.get("rslora", bool, False)}
    return options


def _ranks(section: Section) -> Ranks:
    patterns = section.get("rank_pattern", dict, {})
    if not all(isinstance(key, str) and type(rank) is int for key, rank in patterns.items()):
        raise ConfigError(f"{section.at('rank_pattern')}: expected a rank for each pattern, found {patterns!r}")
    try:
        return Ranks(section.count("rank", 16), patterns, section.get("rank_energy", (float, type(None)), None))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(section.at(str(error))) from error


def _data(section: Section, config_folder: Path, folder: str | Path | None, channels: int) -> Data:
    given = section.get("folder", str, None)
    if folder is None and given is None:
        raise ConfigError("data.folder: missing; name it here or with --data")
    data = Data(
        folder=Path(folder) if folder is not None else config_folder / str(given),
        images=_names(section, "images"),
        label=section.get("label", str),
        train=_cases(section, "train"),
        validation=_cases(section, "validation", []),
        test=_cases(section, "test", []),
        source=section.get("source", str, ""),
    )
    section.done()
    if len(data.images) != channels:
        raise ConfigError(f"data.images: expected one for each of {channels} channels, found {len(data.images)}")
    if not data.train:
        raise ConfigError("data.train: expected at least one case")
    held_out = {*data.validation, *data.test}
    if shared := sorted(held_out & set(data.train)):
        raise ConfigError(f"data.train: also held out: {', '.join(shared)}")
    for case in (*data.train, *data.validation, *data.test):
        images, label = data.files(case)
        for file in (*images, label):
            if not file.is_file():
                raise ConfigError(f"data: case {case} has no file {file}")
    return data


def _cases(section: Section, key: str, *default: list[str]) -> list[str]:
    """A list of cases; "1-48" stands for 1, 2, … 48."""
    cases: list[str] = []
    for item in section.get(key, list, *default):
        first, dash, last = str(item).partition("-")
        if dash and first.isdigit() and last.isdigit():
            cases += [str(number) for number in range(int(first), int(last) + 1)]
        else:
            cases.append(str(item))
    return cases


def _training(section: Section, classes: int) -> Training:
    augmentation = section.section("augmentation", {})
    axes = augmentation.get("flip_axes", list, [])
    if any(axis not in (0, 1, 2) for axis in axes):
        raise ConfigError(f"{augmentation.at('flip_axes')}: expected axes among 0, 1 and 2, found {axes!r}")
    training = Training(
        steps=section.count("steps"),
        batch_size=section.count("batch_size", 1),
        learning_rate=section.number("learning_rate", 0, 1),
        head_rate=section.number("head_rate", 0.01, 1000, 1.0),
        weight_decay=section.number("weight_decay", 0, 1, 1e-5),
        warmup_steps=section.count("warmup_steps", 20, low=0),
        crop_ratios=section.numbers("crop_ratios", classes, float, [1.0] * classes),
        class_weights=section.numbers("class_weights", classes, float, [1.0] * classes),
        augmentation=Augmentation(
            noise=augmentation.number("noise", 0, 10, 0.0),
            bias_field=augmentation.number("bias_field", 0, 2, 0.0),
            intensity=augmentation.number("intensity", 0, 1, 0.0),
            rotate_degrees=augmentation.number("rotate_degrees", 0, 180, 0.0),
            scale=augmentation.number("scale", 0, 0.5, 0.0),
            flip_axes=axes,
        ),
        workers=section.count("workers", 0, low=0),
        bfloat16=section.get("bfloat16", bool, False),
        checkpoint_every=section.count("checkpoint_every", 100),
        validate_every=section.count("validate_every", 200),
    )
    augmentation.done()
    section.done()
    return training


def _names(section: Section, key: str, *default: list[str]) -> list[str]:
    names = section.get(key, list, *default)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{section.at(key)}: expected a list of names, found {names!r}")
    return names
