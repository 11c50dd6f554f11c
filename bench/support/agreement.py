"""Prints the shares of equal voxels of two label maps as JSON, of all and of those that either calls foreground."""

import json
import sys

import nibabel
import numpy as np

a, b = (np.asarray(nibabel.load(path).dataobj) for path in sys.argv[1:3])
if a.shape != b.shape:
    sys.exit(f"{a.shape} and {b.shape} are not one grid")
foreground = (a != 0) | (b != 0)
print(json.dumps({"all": float((a == b).mean()), "foreground": float((a == b)[foreground].mean())}))
