"""The recorded runs as a table, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from intervals import mean_interval
from run import METHODS


def labels(run: dict[str, Any]) -> list[str]:
    """Names of the labels that were measured."""
    return list(dict.fromkeys(metric["label"] for metric in run["metrics"]))


def per_case(runs: Sequence[dict[str, Any]], label: str, name: str) -> list[float]:
    """One value a test case, the mean over the seeds; a case without a value in some seed is left out."""
    metrics = [metric for run in runs for metric in run["metrics"]]
    cases = [metric["cases"] for metric in metrics if (metric["label"], metric["name"]) == (label, name)]
    values = [[one[case] for one in cases] for case in cases[0]]
    return [sum(one) / len(one) for one in values if None not in one]


def grouped(runs: Sequence[dict[str, Any]]) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """(cases, method) -> its runs, one a seed; few cases first, methods in the experiment's order."""
    order = list(METHODS)
    keys = sorted({(run["cases"], run["method"]) for run in runs}, key=lambda key: (key[0], order.index(key[1])))
    return {key: [run for run in runs if (run["cases"], run["method"]) == key] for key in keys}


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Mean Dice and HD95 (mm) with intervals for every number of cases and method, in Markdown.

    The last column counts maps without a label, which have no distance to it; their means leave them out.
    """
    columns = [(label, name) for label in labels(runs[0]) for name in ("Dice", "HD95")]
    header = ["cases", "method", "trained", "kB", *(f"{name}, {label}" for label, name in columns), "no HD95"]
    lines = [f"| {' | '.join(header)} |", "|---:|---|---:|---:|" + "---:|" * (len(columns) + 1)]
    for (cases, method), same in grouped(runs).items():
        size = f"{same[0]['adapter_bytes'] / 1000:,.0f}"
        cells = [str(cases), f"`{method}`", f"{same[0]['trained_parameters']:,}", size]
        cells += [_cell(per_case(same, label, name), 3 if name == "Dice" else 1) for label, name in columns]
        undefined = sum(metric["undefined"] for run in same for metric in run["metrics"])
        lines.append(f"| {' | '.join([*cells, str(undefined)])} |")
    return "\n".join(lines)


def _cell(values: Sequence[float], digits: int) -> str:
    if not values:
        return "none"
    mean, low, high = (f"{one:.{digits}f}" for one in mean_interval(values))
    return f"{mean} ({low} to {high})"
