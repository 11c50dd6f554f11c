"""What a base and an adapter have in common in their manifests: channels, labels, preprocessing, inference."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pdora.checks import ConfigError, Section

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NO_INTENSITY = {"kind": "none"}


@dataclass(frozen=True)
class Task:
    """The manifest's keys that say what goes in and what comes out; the same in base and adapter."""

    name: str
    channels: list[str]
    labels: list[dict[str, Any]]
    inference: dict[str, Any]
    preprocessing: dict[str, Any] = field(
        default_factory=lambda: {"orientation": None, "spacing": None, "intensity": _NO_INTENSITY}
    )
    description: str = ""
    activation: str = "softmax"
    regions: list[dict[str, Any]] | None = None
    postprocessing: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    intended_use: str = ""

    @property
    def classes(self) -> int:
        """Channels of the head."""
        return len(self.labels if self.regions is None else self.regions)

    def to_manifest(self) -> dict[str, Any]:
        manifest = dict(vars(self))
        if self.regions is None:
            del manifest["regions"]
        return manifest


def read_task(section: Section) -> Task:
    """The task's keys of a config or of a manifest; keys that are none of a task's are left in the section."""
    name = section.get("name", str)
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{section.at('name')}: expected {_NAME.pattern}, found {name!r}")
    channels = section.get("channels", list)
    if not channels or not all(isinstance(channel, str) for channel in channels):
        raise ConfigError(f"{section.at('channels')}: expected a list of names, found {channels!r}")
    labels = _labels(section)
    activation = section.choice("activation", ("softmax", "sigmoid"), "softmax")
    return Task(
        name=name,
        channels=channels,
        labels=labels,
        inference=_inference(section.section("inference")),
        preprocessing=_preprocessing(section.section("preprocessing", {})),
        description=section.get("description", str, ""),
        activation=activation,
        regions=_regions(section, labels) if activation == "sigmoid" else None,
        postprocessing=_postprocessing(section.section("postprocessing", {}), len(labels)),
        licence=section.get("licence", str, ""),
        intended_use=section.get("intended_use", str, ""),
    )


def _labels(section: Section) -> list[dict[str, Any]]:
    labels = []
    for value, given in enumerate(section.get("labels", list)):
        path = f"{section.at('labels')}[{value}]"
        one = Section({"name": given} if isinstance(given, str) else given, path)
        label: dict[str, Any] = {"value": one.get("value", int, value), "name": one.get("name", str)}
        if label["value"] != value:
            raise ConfigError(
                f"{path}.value: expected {value} (labels run from 0 without a gap), found {label['value']}"
            )
        if (color := one.get("color", list, None)) is not None:
            label["color"] = color
        if (code := one.get("code", dict, None)) is not None:
            label["code"] = code
        one.done()
        labels.append(label)
    if len(labels) < 2:
        raise ConfigError(f"{section.at('labels')}: expected the background and at least one label")
    return labels


def _regions(section: Section, labels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    regions = []
    for index, given in enumerate(section.get("regions", list)):
        one = Section(given, f"{section.at('regions')}[{index}]")
        region = {"name": one.get("name", str), "value": one.count("value", low=0)}
        if region["value"] >= len(labels):
            raise ConfigError(f"{one.at('value')}: no label has the value {region['value']}")
        one.done()
        regions.append(region)
    return regions


def _preprocessing(section: Section) -> dict[str, Any]:
    orientation = section.get("orientation", (str, type(None)), None)
    if orientation is not None and not _is_orientation(orientation):
        raise ConfigError(f"{section.at('orientation')}: expected three letters such as RAS, found {orientation!r}")
    spacing = section.get("spacing", (list, type(None)), None)
    if spacing is not None and not all(0.3 <= side <= 10 for side in section.numbers("spacing", 3)):
        raise ConfigError(f"{section.at('spacing')}: expected 0.3 to 10 mm, found {spacing}")
    intensity = section.section("intensity", _NO_INTENSITY)
    kind = intensity.choice("kind", ("zscore", "range", "none"))
    result: dict[str, Any] = {"kind": kind}
    if kind == "zscore":
        result["mask"] = intensity.choice("mask", ("nonzero", "positive", "all"))
    elif kind == "range":
        result |= {key: intensity.numbers(key, 2) for key in ("from", "to")}
        result["clip"] = intensity.get("clip", bool)
    intensity.done()
    section.done()
    return {"orientation": orientation, "spacing": spacing, "intensity": result}


def _is_orientation(code: str) -> bool:
    return len(code) == 3 and {"RL", "AP", "SI"} == {pair for c in code for pair in ("RL", "AP", "SI") if c in pair}


def _inference(section: Section) -> dict[str, Any]:
    roi_size = section.numbers("roi_size", 3, int)
    if any(side < 32 or side % 32 for side in roi_size) or max(roi_size) < 64:
        raise ConfigError(
            f"{section.at('roi_size')}: expected multiples of 32, one of them at least 64, found {roi_size}"
        )
    result = {
        "roi_size": roi_size,
        "overlap": section.number("overlap", 0, 0.8),
        "blend": section.choice("blend", ("gaussian", "constant")),
    }
    section.done()
    return result


def _postprocessing(section: Section, labels: int) -> dict[str, Any]:
    values = section.get("largest_component", list, None)
    section.done()
    if values is None:
        return {}
    if not all(isinstance(value, int) and 0 < value < labels for value in values):
        raise ConfigError(f"{section.at('largest_component')}: expected values of labels, found {values!r}")
    return {"largest_component": values}
