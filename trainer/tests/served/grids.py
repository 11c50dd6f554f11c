"""Whether an answer lies on its input's grid, as nibabel reads the two."""

from __future__ import annotations

import json
from typing import Any

import nibabel
import numpy as np

_LABEL_MAP, _COMMENT = 1002, 6
_GEOMETRY = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)
# They can name a patient.
_TEXTS = ("descrip", "aux_file", "db_name", "intent_name")


def assert_on_grid(answer: nibabel.Nifti1Image, image: nibabel.Nifti1Image) -> None:
    """Shape and header of a label map, bit for bit where they come from the input."""
    found, expected = answer.header, image.header
    assert answer.shape == image.shape
    assert np.array_equal(answer.affine, image.affine)
    assert found.get_zooms() == expected.get_zooms()
    for field in _GEOMETRY:
        assert found[field].tobytes() == expected[field].tobytes(), field
    assert found["pixdim"][:4].tobytes() == expected["pixdim"][:4].tobytes()
    for field in _TEXTS:
        assert found[field].item() == b"", field
    assert found["intent_code"] == _LABEL_MAP
    assert found.get_data_dtype() == np.uint8
    assert (answer.dataobj.slope, answer.dataobj.inter) == (1, 0)


def extension(answer: nibabel.Nifti1Image) -> dict[str, Any]:
    """The one extension of an answer."""
    (only,) = answer.header.extensions
    assert only.get_code() == _COMMENT
    content = only.get_content()
    return json.loads(content if isinstance(content, str) else content.rstrip(b"\0"))
