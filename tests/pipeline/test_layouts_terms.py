"""Licence addresses, and what layouts share."""

import re

import pytest

from pipeline.layouts.common import Pictures, check_categories, csv_rows, nothing_found, slug
from pipeline.layouts.terms import spdx_of
from pipeline.licenses import spdx
from pipeline.sources.common import AssetError, FetchedFile
from tests.layouts import listed, put_photo

COCO_LICENSES = {  # the table of instances_train2017.json
    "http://creativecommons.org/licenses/by-nc-sa/2.0/": "CC-BY-NC-SA-2.0",
    "http://creativecommons.org/licenses/by-nc/2.0/": "CC-BY-NC-2.0",
    "http://creativecommons.org/licenses/by-nc-nd/2.0/": "CC-BY-NC-ND-2.0",
    "http://creativecommons.org/licenses/by/2.0/": "CC-BY-2.0",
    "http://creativecommons.org/licenses/by-sa/2.0/": "CC-BY-SA-2.0",
    "http://creativecommons.org/licenses/by-nd/2.0/": "CC-BY-ND-2.0",
    "http://flickr.com/commons/usage/": "",
    "http://www.usa.gov/copyright.shtml": "LicenseRef-scancode-us-govt-public-domain",
}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *COCO_LICENSES.items(),
        ("https://creativecommons.org/licenses/by/2.0", "CC-BY-2.0"),
        (" HTTPS://www.creativecommons.org/licenses/BY/4.0/ ", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0/de/", "CC-BY-SA-3.0-DE"),
        ("https://creativecommons.org/licenses/by-sa/3.0/igo/legalcode", "CC-BY-SA-3.0-IGO"),
        ("https://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/deed.en", "CC-PDM-1.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0/xx/", ""),
        ("https://creativecommons.org/licenses/by/9.0/", ""),
        ("https://creativecommons.org/licenses/sampling/1.0/", ""),
        ("https://creativecommons.org/licenses/by/4.0/extra/", ""),
        ("https://creativecommons.org.example.org/licenses/by/4.0/", ""),
        ("ftp://creativecommons.org/licenses/by/4.0/", ""),
        ("http://[", ""),
        ("CC-BY-4.0", ""),
        ("", ""),
    ],
)
def test_licence_addresses(address, expected):
    assert spdx_of(address) == expected
    assert not expected or spdx().validate(expected).errors == []


def pictures(*names):
    return Pictures([FetchedFile(None, name, name) for name in names])


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("1.jpg", "", ["a/1.jpg", "b/1.jpg", "b/c/1.jpg"]),
        ("1.jpg", "a", ["a/1.jpg"]),
        ("1.jpg", "elsewhere", ["a/1.jpg", "b/1.jpg", "b/c/1.jpg"]),
        ("c/1.jpg", "", ["b/c/1.jpg"]),
        ("c/1.jpg", "a", ["b/c/1.jpg"]),
        ("/elsewhere/b/1.jpg", "", ["b/1.jpg"]),
        ("elsewhere\\b\\1.jpg", "", ["b/1.jpg"]),
        ("2.jpg", "", ["2.jpg"]),
        ("nowhere/2.jpg", "a", ["2.jpg"]),
        ("1.csv", "", []),
        ("3.jpg", "", []),
        ("2.jpg", "2.jpg", ["2.jpg"]),
    ],
)
def test_pictures_are_found_by_the_longest_end_of_a_path_then_by_folder(name, folder, expected):
    held = pictures("a/1.jpg", "b/1.jpg", "b/c/1.jpg", "2.jpg", "a/1.csv")
    assert [f.relative for f in held.find(name, folder)] == expected


def test_a_photograph_is_known_by_its_stem_where_that_is_unique():
    held = pictures("a/1.jpg", "b/1.png", "b/2.JPG", "c/2.txt")
    assert [held.photo(f) for f in held.all] == ["a/1.jpg", "b/1.png", "2"]


def test_unknown_categories_are_named_with_a_guess():
    check_categories((), (), "x")
    check_categories(("dog", "cat"), ("cat", "dog", "cow"), "x")
    with pytest.raises(AssetError, match=r"^categories: 'dgo' is no class of the set; did you mean 'dog'\?$"):
        check_categories(("cat", "dgo"), ("cat", "dog"), "the set")


def test_nothing_found_shows_what_was(tmp_path):
    put_photo(tmp_path / "a.png", 0)
    text = "layout = 'coco' needs x, and there is none; the first of 1 files is 'a.png'"
    assert str(nothing_found("coco", "x", listed(tmp_path))) == text
    assert str(nothing_found("coco", "x", [])) == "layout = 'coco' needs x, and there is none; there are no files"


def test_csv_rows_without_mark_and_blanks_and_with_the_line_of_a_bad_one(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfx,y\r\n\r\n1,"2,\n3"\r\n\xff,4')
    (file,) = listed(tmp_path)
    assert list(csv_rows(file)) == [["x", "y"], ["1", "2,\n3"], ["\ufffd", "4"]]
    file.path.write_text("a,b\n" + "c" * 200_000)
    with pytest.raises(AssetError, match=re.escape("a.csv: line 2: field larger than field limit (131072)")):
        list(csv_rows(file))


def test_slugs():
    assert [slug(t) for t in ("Traffic light", "a/b  c", " ", "")] == ["traffic-light", "a-b-c", "unnamed", "unnamed"]
