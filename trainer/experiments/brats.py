"""The BraTS sample in the form that training wants: background 0, cut to the brain."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from tqdm import tqdm


def prepare_brats(source: Path, target: Path) -> None:
    """Write `flair.nii.gz` and `seg.nii.gz` of every case of `source` to `target`.

    The source's background is one negative value, which a z-score over what is not 0 would take for brain. Its mask
    reads 0.99999997 inside, hence the threshold. Tumour outside of the mask stays labelled, on a background of 0.
    """
    for folder in tqdm(sorted(one for one in source.iterdir() if one.is_dir()), desc="BraTS", unit="case"):
        flair, seg, mask = (nibabel.load(folder / f"{name}.nii.gz") for name in ("flair", "seg", "brainmask"))
        brain = mask.get_fdata(dtype=np.float32) > 0.5
        places = np.argwhere(brain)
        box = tuple(slice(a, b + 1) for a, b in zip(places.min(0), places.max(0), strict=True))
        out = target / folder.name
        out.mkdir(parents=True, exist_ok=True)
        image = np.where(brain, flair.get_fdata(dtype=np.float32), 0)
        for name, values in (("flair", image), ("seg", seg.get_fdata(dtype=np.float32).astype(np.uint8))):
            # Both on one affine: the forms of the source's files differ, their grids do not.
            nibabel.save(nibabel.Nifti1Image(values[box], flair.affine), out / f"{name}.nii.gz")
