"""Real volumes through the API and back onto their own grids."""

import gzip
import hashlib

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from served.grids import assert_on_grid, extension
from served.reference import agreement, labels

PHASES = ("queue", "fetch", "decode", "preprocess", "fuse", "infer", "postprocess", "encode")
# A whole head (RAS), an oblique one, and a CT with a sheared sform that its qform cannot say.
VOLUMES = ("chris_t1", "FLAIR", "shear")


@pytest.mark.parametrize("volume", VOLUMES)
def test_a_whole_head_comes_back_on_its_own_grid(tenant, base, shared, volume, record_property):
    file = shared / "data" / "volumes" / f"{volume}.nii.gz"
    reply = tenant.segment("__base__", file)
    answer = reply.image()
    assert_on_grid(answer, nibabel.load(file))
    assert extension(answer) == {"labels": base.task.labels, "adapter": None, "base": base.digest}
    found, expected = np.asarray(answer.dataobj), labels(base, base.architecture, file)
    assert len(np.unique(expected)) == len(base.task.labels)
    voxels, foreground = agreement(found, expected)
    record_property("agreement", (voxels, foreground))
    record_property("server-timing", reply.headers["server-timing"])
    assert voxels >= 0.999
    assert foreground >= 0.995


def test_a_hippocampus_comes_back_on_its_own_grid_and_says_what_made_it(serve, base, hippocampus):
    served = serve("pdora-factor-in")
    digest = f"sha256:{hashlib.sha256(served.adapter.path.read_bytes()).hexdigest()}"
    answer, headers = served.reply.image(), served.reply.headers
    assert_on_grid(answer, nibabel.load(hippocampus))
    assert extension(answer) == {"labels": served.adapter.manifest["labels"], "adapter": digest, "base": base.digest}
    assert served.shown["digest"] == headers["x-adapter-digest"] == digest
    assert headers["x-base-digest"] == base.digest
    assert (headers["x-adapter-id"], headers["x-adapter-version"]) == ("ward/pdora-factor-in", "1")
    assert headers["x-adapter-cache"] in ("hot", "warm", "cold")
    assert headers["content-type"] == "application/gzip"
    assert headers["content-encoding"] is None
    # gzip's time.
    assert served.reply.body[4:8] == bytes(4)
    assert [phase.split(";")[0].strip() for phase in headers["server-timing"].split(",")] == list(PHASES)


def test_nothing_that_names_a_patient_comes_back(serve, tenant, hippocampus):
    serve("head")
    image = nibabel.load(hippocampus)
    image.header["descrip"], image.header["aux_file"] = b"DOE^JANE 1970", b"DOE^JANE"
    image.header["db_name"], image.header["intent_name"] = b"DOE^JANE", b"DOE^JANE"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"DOE^JANE"))
    sent = image.to_bytes()
    assert sent.count(b"DOE^JANE") == 5
    reply = tenant.segment("head", gzip.compress(sent))
    assert b"DOE" not in reply.nifti_bytes()
    assert b"DOE" not in str(reply.headers).encode()
    assert_on_grid(reply.image(), image)


# All three axes at each place, in both directions, right- and left-handed.
@pytest.mark.parametrize("codes", ["LPS", "RAI", "LAS", "PIR", "ASL", "PRS", "ARI", "SRA", "IPL", "SLP", "ILA"])
def test_labels_do_not_depend_on_the_order_of_the_voxels(serve, tenant, hippocampus, codes):
    expected = np.asarray(serve("pdora-factor-in").reply.image().dataobj)
    # Labels that are their own mirror image would hide a swap.
    for axis in range(3):
        assert (expected != np.flip(expected, axis)).mean() > 0.1
    turned = _turned(nibabel.load(hippocampus), codes)
    answer = tenant.segment("pdora-factor-in", turned.to_bytes()).image()
    assert_on_grid(answer, turned)
    assert "".join(nibabel.aff2axcodes(answer.affine)) == codes
    assert np.array_equal(np.asarray(nibabel.as_closest_canonical(answer).dataobj), expected)


@pytest.mark.parametrize("codes", ["LPS", "PIR"])
def test_an_oblique_head_keeps_its_labels_in_another_order_of_voxels(tenant, shared, codes):
    image = nibabel.load(shared / "data" / "volumes" / "FLAIR.nii.gz")
    turned = _turned(image, codes)
    straight, answer = (tenant.segment("__base__", one.to_bytes()).image() for one in (image, turned))
    assert_on_grid(answer, turned)
    expected = np.asarray(straight.dataobj)
    assert (expected != expected[::-1]).mean() > 0.05
    voxels, foreground = agreement(np.asarray(nibabel.as_closest_canonical(answer).dataobj), expected)
    assert voxels >= 0.999
    assert foreground >= 0.995


def _turned(image: nibabel.Nifti1Image, codes: str) -> nibabel.Nifti1Image:
    """The same image with its voxels in another order, as it is after being stored: the header's affine is float32."""
    turned = image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(codes)))
    return nibabel.Nifti1Image.from_bytes(turned.to_bytes())
