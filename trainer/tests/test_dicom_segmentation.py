"""DICOM segmentations of label maps, read by pydicom and highdicom: every frame on the slice that lies there."""

import json
import os
import subprocess
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from conftest import PROJECT
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

NODE = PROJECT / "node_modules" / ".bin" / "node"
CODE = {"scheme": "SCT", "value": "12738006", "meaning": "Brain"}
LABELS = [
    {"value": 0, "name": "background"},
    {"value": 2, "name": "box", "code": CODE, "color": [255, 0, 0]},
    {"value": 7, "name": "Läsion"},
    {"value": 9, "name": "nowhere"},
]
ROWS, COLUMNS, SLICES = 13, 10, 6
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def rotation(degrees: float, axis: int) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.insert(np.insert(np.array([[c, -s], [s, c]]), axis, 0, axis=0), axis, np.eye(3)[axis], axis=1)


AXIAL = np.eye(3)
SAGITTAL = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float)
OBLIQUE = rotation(20, 0) @ rotation(-35, 2)
# Columns: along a row, down a column, from slice to slice (in LPS); and the places of slices in slice distances.
SERIES = {
    "axial": (AXIAL, range(SLICES)),
    "sagittal": (SAGITTAL, range(SLICES)),
    "oblique": (OBLIQUE, range(SLICES)),
    "flipped": (AXIAL @ np.diag([-1, -1, 1]), range(SLICES)),
    "from above": (AXIAL, range(SLICES)[::-1]),
}


def geometry(axes: np.ndarray) -> np.ndarray:
    """From (column, row, slice) to LPS millimetres; rows, columns and slices lie differently far apart."""
    affine = np.eye(4)
    affine[:3, :3] = axes * [0.75, 0.5, 3]
    affine[:3, 3] = [-31.5, 20.25, 7]
    return affine


def write_series(folder: Path, axes: np.ndarray, places) -> dict[str, int]:
    """One file a slice under names in no order; which place each image has."""
    folder.mkdir()
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    affine, uids = geometry(axes), {}
    for number, place in enumerate(places, 1):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        file.SOPClassUID, file.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        file.SpecificCharacterSet = "ISO_IR 192"
        file.PatientName, file.PatientID, file.PatientBirthDate, file.PatientSex = "Phantom^Jörg", "p1", "19700101", "O"
        file.StudyInstanceUID, file.SeriesInstanceUID, file.FrameOfReferenceUID = study, series, frame
        file.StudyDate, file.StudyTime, file.StudyID, file.AccessionNumber = "20260102", "101112", "1", "a1"
        file.Modality, file.SeriesNumber, file.InstanceNumber = "MR", 3, number
        file.Rows, file.Columns, file.PixelSpacing, file.SliceThickness = ROWS, COLUMNS, [0.5, 0.75], 3
        file.ImagePositionPatient = [f"{x:.9g}" for x in (affine @ [0, 0, place, 1])[:3]]
        file.ImageOrientationPatient = [f"{x:.12g}" for x in axes[:, :2].T.ravel()]
        file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
        file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
        file.PixelData = np.full((ROWS, COLUMNS), place, "<u2").tobytes()
        file.save_as(folder / f"{(number * 5) % 7}.dcm", enforce_file_format=True)
        uids[str(file.SOPInstanceUID)] = place
    return uids


def landmarks(slices: int = SLICES) -> np.ndarray:
    """Labels (slice, row, column) without symmetry: a corner's pixel of its own on each slice, and boxes."""
    labels = np.zeros((slices, ROWS, COLUMNS), np.uint8)
    for place in range(slices - 1):
        labels[place, place + 1, 2 * place % COLUMNS] = 2
    labels[1:3, 7:12, 3:5] = 7
    labels[3, 8, 6:9] = 2
    return labels


def write_label_map(path: Path, labels: np.ndarray, axes: np.ndarray) -> None:
    """As dcm2niix lays voxels: columns, then rows from below, then slices."""
    voxels = labels.transpose(2, 1, 0)[:, ::-1]
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = ROWS - 1
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(voxels), LPS_TO_RAS @ geometry(axes) @ flip), path)


def segmentation(tmp_path: Path, series: Path, *, labels: bool = True) -> subprocess.CompletedProcess[str]:
    if not NODE.exists():
        if os.environ.get("CI"):
            pytest.fail("node_modules is missing")
        pytest.skip("needs node_modules (npm ci)")
    (tmp_path / "labels.json").write_text(json.dumps(LABELS))
    command = [NODE, PROJECT / "cli" / "pdora.ts", "dicom-seg", series, tmp_path / "labels.nii.gz"]
    given = ["--labels", tmp_path / "labels.json"] if labels else []
    return subprocess.run(
        [*command, "-o", tmp_path / "seg.dcm", *given], capture_output=True, text=True, timeout=60, check=False
    )


def assert_frames(path: Path, uids: dict[str, int], labels: np.ndarray, axes: np.ndarray) -> None:
    found = highdicom.seg.segread(path)
    values = {number: value for number, value in enumerate([2, 7, 9], 1)}
    frames = found.pixel_array.reshape(-1, ROWS, COLUMNS)
    left = labels.copy()
    assert len(frames) == found.NumberOfFrames == len(found.PerFrameFunctionalGroupsSequence)
    for frame, item in zip(frames, found.PerFrameFunctionalGroupsSequence, strict=True):
        source = item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        place, value = uids[source], values[item.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        position = item.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(position, (geometry(axes) @ [0, 0, place, 1])[:3], atol=1e-6)
        np.testing.assert_array_equal(frame, labels[place] == value)
        left[place][frame == 1] = 0
    assert not left.any()


@pytest.mark.parametrize("case", SERIES)
def test_every_frame_lies_on_the_slice_that_lies_there(tmp_path, case):
    axes, places = SERIES[case]
    uids = write_series(tmp_path / "series", axes, places)
    write_label_map(tmp_path / "labels.nii.gz", landmarks(), axes)
    made = segmentation(tmp_path, tmp_path / "series")
    assert made.returncode == 0, made.stderr
    assert_frames(tmp_path / "seg.dcm", uids, landmarks(), axes)

    # highdicom's own way from a source image to its pixels.
    found = highdicom.seg.segread(tmp_path / "seg.dcm")
    by_place = sorted(uids, key=uids.get)
    pixels = found.get_pixels_by_source_instance(by_place, combine_segments=False, assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(pixels[..., 1], landmarks() == 7)


def test_it_says_whose_it_is_and_what_its_segments_are(tmp_path):
    uids = write_series(tmp_path / "series", OBLIQUE, range(SLICES))
    write_label_map(tmp_path / "labels.nii.gz", landmarks(), OBLIQUE)
    assert segmentation(tmp_path, tmp_path / "series").returncode == 0
    found, source = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(next((tmp_path / "series").iterdir()))
    for name in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "FrameOfReferenceUID", "AccessionNumber"):
        assert found[name].value == source[name].value
    assert found.SeriesInstanceUID != source.SeriesInstanceUID
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
    (series,) = found.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} == set(uids)
    segments = [(item.SegmentNumber, item.SegmentLabel, coded(item)) for item in found.SegmentSequence]
    tissue = ("SCT", "85756007", "Tissue")
    assert segments == [(1, "box", tuple(CODE.values())), (2, "Läsion", tissue), (3, "nowhere", tissue)]


def test_the_label_map_says_what_its_values_mean_and_other_files_of_the_folder_are_left_out(tmp_path):
    uids = write_series(tmp_path / "series", AXIAL, range(SLICES))
    (tmp_path / "series" / "notes.txt").write_text("no image")
    (tmp_path / "series" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    write_label_map(tmp_path / "labels.nii.gz", landmarks(), AXIAL)
    refused = segmentation(tmp_path, tmp_path / "series", labels=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--labels" in refused.stderr

    # As the service writes it (NIFTI_ECODE_COMMENT), by nibabel.
    image = nibabel.load(tmp_path / "labels.nii.gz")
    note = json.dumps({"labels": LABELS, "adapter": None, "base": "sha256:0"}).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, note))
    nibabel.save(image, tmp_path / "labels.nii.gz")
    made = segmentation(tmp_path, tmp_path / "series", labels=False)
    assert made.returncode == 0, made.stderr
    assert "2 files" in made.stdout
    assert_frames(tmp_path / "seg.dcm", uids, landmarks(), AXIAL)
    assert [item.SegmentLabel for item in pydicom.dcmread(tmp_path / "seg.dcm").SegmentSequence] == ["box", "Läsion", "nowhere"]


def coded(segment: Dataset) -> tuple[str, str, str]:
    (item,) = segment.SegmentedPropertyTypeCodeSequence
    return item.CodingSchemeDesignator, item.CodeValue, item.CodeMeaning


def test_a_series_with_gaps_is_mapped_where_its_images_lie_and_refused_where_a_label_has_none(tmp_path):
    # Images are missing at place 3; the conversion filled it.
    uids = write_series(tmp_path / "series", AXIAL, [0, 1, 2, 4, 5])
    labels = landmarks()
    write_label_map(tmp_path / "labels.nii.gz", labels, AXIAL)
    refused = segmentation(tmp_path, tmp_path / "series")
    assert refused.returncode == 1
    assert "where the series has no image" in refused.stderr
    assert not (tmp_path / "seg.dcm").exists()

    labels[3] = 0
    write_label_map(tmp_path / "labels.nii.gz", labels, AXIAL)
    assert segmentation(tmp_path, tmp_path / "series").returncode == 0
    assert_frames(tmp_path / "seg.dcm", uids, labels, AXIAL)


@pytest.mark.parametrize(
    ("places", "labels", "message"),
    [
        ([0, 1, 2.4, 3, 4, 5], landmarks(), "does not lie on the label map's voxels"),
        ([0, 1, 2, 3, 4, 5, 6], landmarks(), "does not lie on the label map's voxels"),
        ([0, 1, 2, 2, 3, 4, 5], landmarks(), "one image at each place"),
        (range(SLICES), landmarks() * 0, "Nothing was segmented"),
        (range(SLICES), landmarks() + 1, "a value that no label names"),
    ],
    ids=["irregular", "another grid", "two images at a place", "empty", "unknown value"],
)
def test_what_cannot_be_placed_is_refused(tmp_path, places, labels, message):
    write_series(tmp_path / "series", AXIAL, places)
    write_label_map(tmp_path / "labels.nii.gz", labels, AXIAL)
    refused = segmentation(tmp_path, tmp_path / "series")
    assert refused.returncode == 1
    assert message in refused.stderr
    assert not (tmp_path / "seg.dcm").exists()
