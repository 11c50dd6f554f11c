"""The recorded runs as a table, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from run import METHODS
from scores import mean_interval


def per_case(runs: Sequence[dict[str, Any]], label: str, score: str) -> list[float]:
    """One value a test case, the mean over the seeds; a case without a value in some seed is left out."""
    scored = [run["labels"][label] for run in runs]
    values = [[one[case][score] for one in scored] for case in scored[0]]
    return [sum(one) / len(one) for one in values if None not in one]


def grouped(runs: Sequence[dict[str, Any]]) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """(cases, method) -> its runs, one a seed; few cases first, methods in the experiment's order."""
    order = list(METHODS)
    keys = sorted({(run["cases"], run["method"]) for run in runs}, key=lambda key: (key[0], order.index(key[1])))
    return {key: [run for run in runs if (run["cases"], run["method"]) == key] for key in keys}


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Mean Dice and HD95 (mm) with intervals for every number of cases and method, in Markdown."""
    labels = list(runs[0]["labels"])
    scored = [f"{score}, {label}" for label in labels for score in ("Dice", "HD95")]
    header = ["cases", "method", "trained", "kB", *scored]
    lines = [f"| {' | '.join([*header, 'no HD95'])} |", "|---:|---|---:|---:|" + "---:|" * (2 * len(labels) + 1)]
    for (cases, method), same in grouped(runs).items():
        trained, size = same[0]["trained_parameters"], same[0]["adapter_bytes"]
        cells = [str(cases), f"`{method}`", f"{trained:,}", f"{size / 1000:,.0f}"]
        missing = 0
        for label in labels:
            cells.append(_cell(per_case(same, label, "dice"), 3))
            distances = per_case(same, label, "hd95")
            cells.append(_cell(distances, 1))
            missing += len(same[0]["labels"][label]) - len(distances)
        lines.append(f"| {' | '.join([*cells, str(missing)])} |")
    return "\n".join(lines)


def _cell(values: Sequence[float], digits: int) -> str:
    mean, low, high = (f"{one:.{digits}f}" for one in mean_interval(values))
    return f"{mean} ({low}-{high})" if values else "-"
