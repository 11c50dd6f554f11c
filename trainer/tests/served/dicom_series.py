"""Series of DICOM images, written by pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_series(
    folder: Path, voxels: np.ndarray, affine: np.ndarray, *, number: int = 1, places: Sequence[int] | None = None
) -> dict[str, int]:
    """
    One file a slice, under names in no order; which slice each image is.

    `voxels` are (column, row, slice), `affine` maps these to LPS millimetres, `places` are the slices that there are, in
    the order in which they were taken.
    """
    folder.mkdir(parents=True)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / sizes
    uids = {}
    for n, place in enumerate(range(voxels.shape[2]) if places is None else places, 1):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        file.SOPClassUID, file.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        file.PatientName, file.PatientID, file.PatientBirthDate, file.PatientSex = "Phantom^Jane", "p1", "19700101", "O"
        file.StudyInstanceUID, file.SeriesInstanceUID, file.FrameOfReferenceUID = study, series, frame
        file.StudyDate, file.StudyTime, file.StudyID, file.AccessionNumber = "20260102", "101112", "1", "a1"
        file.ImageType, file.Modality, file.Manufacturer = ["ORIGINAL", "PRIMARY", "M"], "MR", "PDoRA"
        file.SeriesNumber, file.InstanceNumber, file.SeriesDescription = number, n, folder.name
        file.Rows, file.Columns = voxels.shape[1], voxels.shape[0]
        file.PixelSpacing, file.SliceThickness = [f"{sizes[1]:.9g}", f"{sizes[0]:.9g}"], f"{sizes[2] / 2:.9g}"
        file.ImagePositionPatient = [f"{x:.9g}" for x in (affine @ [0, 0, place, 1])[:3]]
        file.ImageOrientationPatient = [f"{x:.12g}" for x in directions[:, :2].T.ravel()]
        file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
        file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
        file.PixelData = np.ascontiguousarray(voxels[:, :, place].T, "<u2").tobytes()
        file.save_as(folder / f"{n * 7 % 101:03}", enforce_file_format=True)
        uids[str(file.SOPInstanceUID)] = place
    return uids
