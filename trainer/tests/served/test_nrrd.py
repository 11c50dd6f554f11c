"""NRRD in and out of the API: what pynrrd writes is read, and pynrrd and SimpleITK read what comes back."""

import json

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK as sitk
from served.grids import extension

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SIGNS = {"left-posterior-superior": [-1, -1, 1], "right-anterior-superior": [1, 1, 1], "LAS": [-1, 1, 1]}


def write(path, image, space="left-posterior-superior", encoding="gzip"):
    affine = np.diag([*SIGNS[space], 1]) @ image.affine
    header = {"space": space, "space directions": affine[:3, :3].T, "space origin": affine[:3, 3], "encoding": encoding}
    nrrd.write(str(path), np.asarray(image.dataobj), {**header, "patient": "DOE^JANE"})
    return path.read_bytes()


def read(reply, path):
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/x-nrrd"
    path.write_bytes(reply.body)
    return nrrd.read(str(path))


def affine_of(header):
    directions = [row for row in header["space directions"] if row is not None and np.isfinite(row).all()]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = np.transpose(directions), header["space origin"]
    return RAS_TO_LPS @ affine


@pytest.mark.parametrize(("space", "encoding"), zip(SIGNS, ("gzip", "raw", "gzip"), strict=True))
def test_labels_are_those_of_nifti_on_the_same_voxels(serve, tenant, hippocampus, tmp_path, space, encoding):
    expected = serve("head").reply.image()
    sent = write(tmp_path / "in.nrrd", nibabel.load(hippocampus), space, encoding)
    # A NIfTI answer to it, and a NRRD answer.
    as_nifti = tenant.segment("head", sent).image()
    np.testing.assert_array_equal(np.asarray(as_nifti.dataobj), np.asarray(expected.dataobj))
    np.testing.assert_allclose(as_nifti.affine, expected.affine, atol=1e-5)
    reply = tenant.segment("head", sent, format="nrrd")
    labels, header = read(reply, tmp_path / "out.seg.nrrd")
    np.testing.assert_array_equal(labels, np.asarray(expected.dataobj))
    np.testing.assert_array_equal(affine_of(header), nibabel.load(hippocampus).affine)
    assert b"DOE" not in reply.body


def test_a_segmentation_says_what_its_segments_are(serve, tenant, base, hippocampus, tmp_path):
    served = serve("head")
    labels, header = read(tenant.segment("head", hippocampus, format="nrrd"), tmp_path / "out.seg.nrrd")
    names = [label["name"] for label in served.adapter.manifest["labels"][1:]]
    assert [header[f"Segment{n}_Name"] for n in range(len(names))] == names
    for n in range(len(names)):
        value = int(header[f"Segment{n}_LabelValue"])
        assert value == n + 1
        assert header[f"Segment{n}_Layer"] == "0"
        where = np.argwhere(labels == value)
        extent = np.stack([where.min(0), where.max(0)], 1).ravel()
        assert [int(x) for x in header[f"Segment{n}_Extent"].split()] == extent.tolist()
        assert all(0 <= float(x) <= 1 for x in header[f"Segment{n}_Color"].split())
    assert json.loads(header["PDoRA"]) == extension(served.reply.image())

    image = sitk.ReadImage(str(tmp_path / "out.seg.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, labels)
    for index in ([0, 0, 0], [3, 1, 2]):
        world = nibabel.affines.apply_affine(RAS_TO_LPS @ nibabel.load(hippocampus).affine, index)
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index), world, atol=1e-4)


def test_probabilities_are_those_of_nifti_with_the_classes_as_a_list(serve, tenant, hippocampus, tmp_path):
    serve("head")
    expected = np.asarray(tenant.segment("head", hippocampus, output="probabilities").image().dataobj)
    reply = tenant.segment("head", hippocampus, output="probabilities", format="nrrd")
    found, header = read(reply, tmp_path / "p.nrrd")
    assert header["kinds"][0] == "list"
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1), expected)
    image = sitk.ReadImage(str(tmp_path / "p.nrrd"))
    assert image.GetNumberOfComponentsPerPixel() == expected.shape[-1]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).transpose(2, 1, 0, 3), expected)


def test_a_detached_header_is_refused(serve, tenant, hippocampus, tmp_path):
    serve("head")
    nrrd.write(str(tmp_path / "in.nhdr"), np.asarray(nibabel.load(hippocampus).dataobj), detached_header=True)
    reply = tenant.segment("head", (tmp_path / "in.nhdr").read_bytes())
    assert (reply.status, reply.json()["code"]) == (422, "invalid_volume")
    assert "detached" in reply.json()["detail"]
