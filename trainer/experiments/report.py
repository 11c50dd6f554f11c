"""The table and the curves of docs/methods.md, from `results.jsonl`: `python trainer/experiments/report.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from intervals import mean_interval
from run import HERE, METHODS, RESULTS, recorded
from tables import grouped, labels, per_case, table

CURVES = HERE.parents[1] / "docs" / "few-cases.svg"
_COLOURS = {
    "pdora": "#d1495b",
    "lora": "#2e86ab",
    "dora": "#6a4c93",
    "pissa": "#edae49",
    "decoder": "#3a7d44",
    "head": "#8d99ae",
}


def draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """Dice against the number of training cases, one panel a label, the intervals as bars."""
    # The same lines give the same file.
    matplotlib.rcParams |= {"svg.hashsalt": "pdora", "font.size": 9, "svg.fonttype": "none"}
    names = labels(runs[0])
    figure, panels = plt.subplots(1, len(names), figsize=(8, 3.2), sharey=True, layout="constrained")
    for panel, label in zip(panels, names, strict=True):
        for place, method in enumerate(METHODS):
            found = [(n, same) for (n, name), same in grouped(runs).items() if name == method]
            if not found:
                continue
            # Side by side, as the bars of equal numbers of cases would hide each other.
            x = [n * 1.03 ** (place - len(METHODS) / 2) for n, _ in found]
            means = [mean_interval(per_case(same, label, "Dice")) for _, same in found]
            bars = [[m - low for m, low, _ in means], [high - m for m, _, high in means]]
            colour = _COLOURS.get(method, "#222222")
            style = {"color": colour, "marker": "o", "ms": 4, "capsize": 2, "lw": 1.2, "label": method}
            panel.errorbar(x, [m for m, _, _ in means], bars, **style)
        numbers = sorted({run["cases"] for run in runs})
        panel.set(title=label, xlabel="training cases", xscale="log")
        panel.set_xticks(numbers, [str(n) for n in numbers])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("Dice, mean of the test cases")
    panels[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.savefig(path, metadata={"Date": None, "Title": "Dice against the number of training cases"})
    plt.close(figure)


def main() -> None:
    runs = recorded(RESULTS)
    print(table(runs))
    draw(runs, CURVES)


if __name__ == "__main__":
    main()
