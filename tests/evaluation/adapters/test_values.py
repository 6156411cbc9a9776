"""Masks and mattes: values as written, whatever profile they carry."""

import numpy as np
import pytest
from PIL import Image

from evaluation.adapters.values import decode_values, nearest_trimap, without_profile
from stages.decode import DecodeError, decode_image
from tests.evaluation.adapters.folders import encoded, noise
from tests.stages.test_decode import LINEAR, icc

GREY = noise(1, 20, 30)


@pytest.mark.parametrize("pixels", [GREY, np.dstack([GREY] * 3), np.dstack([GREY, np.full_like(GREY, 255)])])
def test_grey_files_of_all_kinds(pixels):
    np.testing.assert_array_equal(decode_values(encoded(pixels), "x"), GREY)


def test_one_and_sixteen_bits():
    np.testing.assert_array_equal(decode_values(encoded(GREY > 99), "x"), np.where(GREY > 99, 255, 0))
    deep = np.random.default_rng(3).integers(0, 65536, (20, 30), dtype=np.uint16)
    np.testing.assert_array_equal(decode_values(encoded(deep), "x"), np.rint(deep / 257).astype(np.uint8))


@pytest.mark.parametrize(("file_format", "options"), [("PNG", {}), ("JPEG", {"quality": 95})])
def test_profiles_do_not_change_values(file_format, options):
    bare, profile = encoded(GREY, file_format, **options), icc(b"GRAY", [LINEAR])
    tagged = encoded(GREY, file_format, icc_profile=profile, **options)
    assert without_profile(tagged) == bare
    np.testing.assert_array_equal(decode_values(tagged, "x"), decode_values(bare, "x"))
    as_light = decode_image(tagged, name="x", want="rgb")[..., 0]
    assert np.abs(as_light.astype(int) - decode_values(tagged, "x")).max() > 20  # the profile would have mattered


def test_a_profile_in_several_segments_is_cut_out():
    profile = icc(b"GRAY", [LINEAR]) + bytes(150_000)
    tagged = encoded(GREY, "JPEG", icc_profile=profile)
    assert tagged.count(b"ICC_PROFILE\0") == 3
    assert without_profile(tagged) == encoded(GREY, "JPEG")


def test_files_without_profile_and_damage_stay_as_they_are():
    png, jpeg = encoded(GREY), encoded(GREY, "JPEG")
    tagged = encoded(GREY, icc_profile=icc(b"GRAY", [LINEAR]))
    for data in (png, jpeg, b"", b"\xff\xd8", b"GIF89a", encoded(GREY, "BMP")):
        assert without_profile(data) == data
    for data in (png, jpeg):
        for end in range(len(data) - 1, 0, -37):
            assert without_profile(data[:end]) == data[:end]
    for end in range(0, len(tagged), 11):
        assert len(without_profile(tagged[:end])) <= end


def test_jpeg_chroma_is_no_colour_but_colour_is():
    photo = np.repeat(np.repeat(noise(2, 5, 6, 3), 8, axis=0), 8, axis=1)
    with pytest.raises(
        DecodeError, match=r"^m\.png: channels differ by up to \d+ levels, must be grey \(at most 8\)$"
    ) as e:
        decode_values(encoded(photo), "m.png")
    assert e.value.reason == "coloured"
    grey = np.asarray(Image.fromarray(photo).convert("L").convert("RGB"))
    assert decode_values(encoded(grey, "JPEG"), "x").shape == (40, 48)


def test_transparency_is_refused():
    rgba = np.dstack([GREY] * 4)
    with pytest.raises(DecodeError, match=r"x: .* pixels have alpha under 255"):
        decode_values(encoded(rgba), "x")


def test_trimaps_are_rounded_to_their_three_values():
    found = nearest_trimap(np.arange(256, dtype=np.uint8)[None])
    assert found.dtype == np.uint8
    for value, made in enumerate(found[0].tolist()):
        distances = {t: abs(t - value) for t in (0, 128, 255)}
        assert distances[made] == min(distances.values())
