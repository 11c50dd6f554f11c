"""
DICOM through the console in a real browser, there and back: series written by pydicom, and pydicom's own files, are
converted by the page, and the DICOM segmentations that it makes of known labels are read by pydicom and highdicom.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
from conftest import PROJECT
from pydicom.data import get_testdata_file
from scipy.spatial import cKDTree
from served.cases import LABELS
from served.dicom_series import LPS_TO_RAS, write_series
from served.relabelled import relabelled

NODE = PROJECT / "node_modules" / ".bin" / "node"
SHAPE = (24, 20, 8)
MISSING = 4


def labels_of(values: np.ndarray) -> np.ndarray:
    """Two labels by brightness; what lies half way between a landmark and the background has none."""
    share = values / values.max()
    return np.where(share >= 0.95, 2, np.where((share >= 0.6) & (share < 0.75), 1, 0)).astype(np.uint8)


def landmarks(head: np.ndarray, box: slice = slice(1, 3)) -> np.ndarray:
    """A pixel of its own on each slice and a box, over a piece of a head; without symmetry."""
    piece = head[20 : 20 + SHAPE[0], 30 : 30 + SHAPE[1], 30 : 30 + SHAPE[2]]
    voxels = (200 * piece / piece.max()).astype(np.uint16)
    for place in range(SHAPE[2]):
        voxels[2 + 2 * place, 15 - place, place] = 1000
    voxels[17:21, 3:7, box] = 1500
    return voxels


def rotation(degrees: float, axis: int) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.insert(np.insert(np.array([[c, -s], [s, c]]), axis, 0, axis=0), axis, np.eye(3)[axis], axis=1)


def geometry(axes: np.ndarray) -> np.ndarray:
    """From (column, row, slice) to LPS millimetres; slices are half as thick as they lie apart."""
    affine = np.eye(4)
    affine[:3, :3] = axes * [0.75, 0.5, 3]
    affine[:3, 3] = [-31.5, 20.25, 7]
    return affine


AXIAL = np.eye(3)
BOX, BOX_IN_GAP = slice(1, 3), slice(3, 6)
WITH_GAP = [place for place in range(SHAPE[2]) if place != MISSING]
# Columns: along a row, down a column, from slice to slice (in LPS); which slices there are, in which order; a label.
SERIES = {
    "axial": (AXIAL, range(SHAPE[2]), BOX),
    "sagittal": (np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float), range(SHAPE[2]), BOX),
    "oblique": (rotation(20, 0) @ rotation(-35, 2), range(SHAPE[2]), BOX),
    "flipped": (AXIAL @ np.diag([-1, -1, 1]), range(SHAPE[2]), BOX),
    "from above": (AXIAL @ np.diag([1, 1, -1]), range(SHAPE[2])[::-1], BOX),
    "gapped": (AXIAL, WITH_GAP, BOX),
    "gapped through a label": (AXIAL @ rotation(9, 1), WITH_GAP[::-1], BOX_IN_GAP),
}
PYDICOM = {
    "five slices": "dicomdirtests/98892001/CT5N/*",
    "unequal distances": "dicomdirtests/77654033/CT2/*",
    "turned projections": "dicomdirtests/98892003/MR700/*",
    "CT": "CT_small.dcm",
    "implicit VR": "MR_small_implicit.dcm",
    "big endian": "MR_small_bigendian.dcm",
    "run lengths": "MR_small_RLE.dcm",
    "JPEG-LS": "MR_small_jpeg_ls_lossless.dcm",
    "JPEG 2000": "MR_small_jp2klossless.dcm",
    "colours": "SC_rgb_rle.dcm",
}
# What the page takes in and back, the number of images that the segmentation refers to, of all that were dropped.
BACK = {
    **{case: (len(places), len(places)) for case, (_, places, _) in SERIES.items() if "through" not in case},
    "two series": (SHAPE[2], 2 * SHAPE[2]),
    "five slices": (5, 5),
    "turned projections": (1, 7),
    **{case: (1, 1) for case in ("CT", "implicit VR", "big endian", "run lengths", "JPEG-LS", "JPEG 2000")},
}


@dataclass(frozen=True)
class Outcome:
    folder: Path
    files: list[Path]
    told: dict[str, Any]


@pytest.fixture(scope="module")
def outcomes(admin, tenant, serve, tmp_path_factory) -> dict[str, Outcome]:
    """Every case through one browser."""
    serve("head")
    folder = tmp_path_factory.mktemp("dicom")
    subprocess.run([NODE, PROJECT / "cli" / "pdora.ts", "phantom", "--seed", "7", "-o", folder], check=True, timeout=120)
    head = nibabel.load(folder / "seed-0007" / "image.nii.gz").get_fdata()
    files = {}
    for number, (case, (axes, places, box)) in enumerate(SERIES.items(), 1):
        write_series(folder / case, landmarks(head, box), geometry(axes), number=number, places=places)
        files[case] = sorted((folder / case).iterdir())
    files["two series"] = files["axial"] + files["oblique"]
    root = Path(get_testdata_file("CT_small.dcm")).parent
    for case, pattern in PYDICOM.items():
        files[case] = sorted(root.glob(pattern))
    cases = []
    for case, paths in files.items():
        out = folder / f"{case}, saved"
        out.mkdir()
        cases.append({"name": case, "files": [str(path) for path in paths], "out": str(out)})
        if case == "two series":
            cases[-1]["image"] = "oblique"
    with relabelled(admin.url, labels_of) as url:
        plan = {"url": url, "key": tenant.key, "adapter": "ward/head", "cases": cases}
        done = subprocess.run(
            [NODE, PROJECT / "test" / "support" / "console-dicom.ts"],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    told = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    return {case: Outcome(folder / f"{case}, saved", files[case], told[case]) for case in files}


@dataclass(frozen=True)
class Source:
    """The images that a segmentation refers to, with the labels that their own pixels ask for."""

    images: list[pydicom.Dataset]
    labels: np.ndarray

    @property
    def uids(self) -> list[str]:
        return [image.SOPInstanceUID for image in self.images]


def source_of(outcome: Outcome, segmentation: pydicom.Dataset) -> Source:
    (series,) = segmentation.ReferencedSeriesSequence
    uids = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    images = [image for image in map(pydicom.dcmread, outcome.files) if image.SOPInstanceUID in uids]
    assert len(images) == len(uids)
    assert {image.SeriesInstanceUID for image in images} == {series.SeriesInstanceUID}
    values = np.stack([pixels_of(image) * image.get("RescaleSlope", 1) + image.get("RescaleIntercept", 0) for image in images])
    return Source(images, labels_of(values))


def pixels_of(image: pydicom.Dataset) -> np.ndarray:
    """The compressed variants hold the same pixels, which pydicom alone cannot unpack all."""
    compressed = image.file_meta.TransferSyntaxUID.is_compressed
    return (pydicom.dcmread(get_testdata_file("MR_small.dcm")) if compressed else image).pixel_array


def points_of(position, orientation, spacing, mask: np.ndarray) -> Iterator[np.ndarray]:
    """Where the pixels of a mask lie, in LPS millimetres (DICOM PS3.3, section C.7.6.2.1.1)."""
    along_row, down_column = np.array(orientation, float).reshape(2, 3)
    for row, column in np.argwhere(mask):
        yield np.array(position, float) + along_row * spacing[1] * column + down_column * spacing[0] * row


def assert_same_points(found, expected) -> None:
    found, expected = np.array(list(found)), np.array(list(expected))
    assert len(found) == len(expected) > 0
    distance, nearest = cKDTree(expected).query(found)
    assert distance.max() < 2e-3
    assert len(set(nearest)) == len(expected)


@pytest.mark.parametrize("case", BACK)
def test_every_label_comes_back_to_the_pixels_it_was_taken_from(outcomes, case):
    outcome = outcomes[case]
    assert outcome.told["unsaved"] == {}
    found = highdicom.seg.segread(outcome.folder / "labels.dcm")
    source = source_of(outcome, found)
    assert (len(source.images), len(outcome.files)) == BACK[case]
    assert [segment.SegmentLabel for segment in found.SegmentSequence] == [label["name"] for label in LABELS[1:]]

    # highdicom's way from an image to its pixels, and each frame by its own place.
    pixels = found.get_pixels_by_source_instance(source.uids, combine_segments=True, assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(pixels, source.labels)
    frames = np.reshape(found.pixel_array, (-1, found.Rows, found.Columns))
    shared = found.SharedFunctionalGroupsSequence[0]
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    image = nibabel.load(outcome.folder / "labels.nii.gz")
    voxels, header = nrrd.read(str(outcome.folder / "labels.seg.nrrd"))
    np.testing.assert_array_equal(voxels, np.asarray(image.dataobj))
    for value in (1, 2):
        expected = [
            point
            for one, labels in zip(source.images, source.labels, strict=True)
            for point in points_of(one.ImagePositionPatient, one.ImageOrientationPatient, one.PixelSpacing, labels == value)
        ]
        in_frames = [
            point
            for frame, item in zip(frames, found.PerFrameFunctionalGroupsSequence, strict=True)
            if item.SegmentIdentificationSequence[0].ReferencedSegmentNumber == value
            for point in points_of(item.PlanePositionSequence[0].ImagePositionPatient, orientation, spacing, frame == 1)
        ]
        assert_same_points(in_frames, expected)
        where = np.argwhere(np.asarray(image.dataobj) == value)
        assert_same_points(nibabel.affines.apply_affine(LPS_TO_RAS @ image.affine, where), expected)
        assert_same_points(where @ header["space directions"] + header["space origin"], expected)


def test_a_label_in_a_gap_is_told_in_words_and_the_other_files_are_saved(outcomes):
    outcome = outcomes["gapped through a label"]
    assert "Some labels lie where the series has no image" in outcome.told["unsaved"].pop("labels.dcm")
    assert outcome.told["unsaved"] == {}
    image = nibabel.load(outcome.folder / "labels.nii.gz")
    # The gap is filled, and no image is lost at either end.
    assert image.shape == SHAPE
    labels = np.asarray(image.dataobj)
    assert (labels == 2).any((0, 1)).sum() == 3
    assert (labels == 1).any((0, 1)).sum() == SHAPE[2] - 1


def test_what_has_no_even_grid_is_told_in_words(outcomes):
    outcome = outcomes["unequal distances"]
    assert "No DICOM segmentation can be made." in outcome.told["unsaved"]["labels.dcm"]
    assert nibabel.load(outcome.folder / "labels.nii.gz").shape[:2] == (16, 16)
    assert "The datatype is RGB" in outcomes["colours"].told["refused"]
