import numpy as np
import pytest
from scipy import ndimage

from pdora.scores import scores


def test_the_distance_is_the_95th_percentile_of_both_directions_in_mm():
    # As a header has it.
    rng, spacing = np.random.default_rng(3), tuple(np.float32([0.8, 1.0, 2.5]))
    a, b = (ndimage.gaussian_filter(rng.normal(size=(24, 20, 16)), 3) > 0 for _ in range(2))
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    away = [ndimage.distance_transform_edt(~one, sampling=spacing) for one in surfaces]
    expected = max(np.percentile(away[1][surfaces[0]], 95), np.percentile(away[0][surfaces[1]], 95))
    assert scores(a * 2, b * 2, 2, spacing)["hd95"] == pytest.approx(expected, rel=1e-3)
    assert scores(np.zeros_like(a), b * 2, 2, spacing) == {"dice": 0.0, "hd95": None}
