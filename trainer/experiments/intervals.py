"""How sure a mean over test cases is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_RESAMPLES = 10_000


def mean_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean, and the 2.5th and 97.5th percentiles of the means of 10,000 resamples of the cases (Efron 1979).

    It says how much the choice of test cases matters, not how much another seed of the training would.
    """
    rng = np.random.default_rng(seed)
    means = rng.choice(np.asarray(values, float), (_RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(np.mean(values)), float(low), float(high)
