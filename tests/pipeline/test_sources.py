"""Globs, selection, the local kind, and what all kinds share."""

import glob
import os
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import sources
from pipeline.sources import AssetError, FetchedFile, fetch, matches
from pipeline.sources.common import select
from pipeline.sources.workspace import publish, workspace

TREE = (
    "a.png",
    "b.jpg",
    "B.PNG",
    ".h.png",
    "d/a.png",
    "d/e/a.png",
    "d/e/f/b.jpg",
    "d/.x/c.png",
    "e/d/a.txt",
    "x[1].png",
)


def source(**fields):
    defaults = {
        "package": "",
        "urls": (),
        "sha256": (),
        "path": "",
        "include": (),
        "exclude": (),
        "max_mb": 1,
        "root": "",
        "layout": "files",
    }
    return SimpleNamespace(**{"name": "pets", "kind": "local", **defaults, **fields})


def plant(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def refused(kind: type, message: str):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", {"a.png", ".h.png", "x[1].png"}),
        ("./*.png", {"a.png", ".h.png", "x[1].png"}),
        ("*.PNG", {"B.PNG"}),
        ("d/*.png", {"d/a.png"}),
        ("d/*/*.png", {"d/e/a.png", "d/.x/c.png"}),
        ("**/a.png", {"a.png", "d/a.png", "d/e/a.png"}),
        ("d/**/*.jpg", {"d/e/f/b.jpg"}),
        ("d/**", {"d/a.png", "d/e/a.png", "d/e/f/b.jpg", "d/.x/c.png"}),
        ("**/e/**", {"d/e/a.png", "d/e/f/b.jpg", "e/d/a.txt"}),
        ("**", set(TREE)),
        ("?.*g", {"a.png", "b.jpg"}),
        ("[!a].*", {"b.jpg", "B.PNG"}),
        ("x[[]1].png", {"x[1].png"}),
        ("d", set()),
        ("d/", set()),
        ("/a.png", set()),
        ("a", set()),
        ("", set()),
    ],
)
def test_globs_by_hand(pattern, expected):
    assert {name for name in TREE if matches(name, (pattern,))} == expected


def test_any_pattern_of_several_is_enough_and_none_matches_nothing():
    assert matches("a.png", ("*.jpg", "*.png"))
    assert not matches("a.png", ())


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return plant(tmp_path_factory.mktemp("tree"), *TREE)


segment = st.sampled_from(["**", "*", "d", "e", "*.png", "a.*", "?.png", "[ab].*", "[!a]*", ".*", "*[gG]"])


@given(pattern=st.lists(segment, min_size=1, max_size=5).map("/".join))
def test_globs_agree_with_the_standard_library_on_disk(tree, pattern):
    found = glob.glob(pattern, root_dir=tree, recursive=True, include_hidden=True)  # noqa: PTH207
    assert {n for n in TREE if matches(n, (pattern,))} == {n for n in found if (tree / n).is_file()}


def test_many_double_stars_do_not_explode():
    assert not matches("/".join("a" * 40), ("/".join(["**"] * 30) + "/b",))


def files(*names):
    return [FetchedFile(Path("/c") / n, n, f"file:{n}") for n in names]


def test_select_sorts_and_applies_both_lists():
    got = select(files("b.png", "d/a.png", "a.png", "a.jpg"), ("**/*.png",), ("d/**",))
    assert [f.relative for f in got] == ["a.png", "b.png"]


def test_select_takes_everything_without_include():
    assert len(select(files("b", "a"), (), ())) == 2


@pytest.mark.parametrize(
    ("names", "exclude", "message"),
    [
        ((), (), "none of 0 files matches include = ['*.png']"),
        (("b.JPG", "a.JPG"), (), "none of 2 files matches include = ['*.png']; the first is 'a.JPG'"),
        (("a.png",), ("a*",), "none of 1 files matches include = ['*.png'], exclude = ['a*']; the first is 'a.png'"),
    ],
)
def test_select_refuses_to_return_nothing(names, exclude, message):
    with refused(AssetError, message):
        select(files(*names), ("*.png",), exclude)


def test_all_files_of_an_annotated_layout_are_listed(tmp_path):
    plant(tmp_path / "pets", "cats/a.jpg", "instances.json")
    asked = source(path="pets", include=("**/*.jpg",))
    assert [f.relative for f in fetch(asked, tmp_path, tmp_path)] == ["cats/a.jpg"]
    asked.layout = "coco"
    assert sorted(f.relative for f in fetch(asked, tmp_path, tmp_path)) == ["cats/a.jpg", "instances.json"]


def test_local_lists_a_folder_relative_to_the_base(tmp_path):
    root = plant(tmp_path / "m" / "pets", "z.png", "cats/a b.png", "notes.txt")
    got = fetch(source(path="../m/pets", include=("**/*.png",)), tmp_path / "none", plant(tmp_path / "base", "x"))
    assert [(f.relative, f.uri) for f in got] == [("cats/a b.png", "file:cats/a b.png"), ("z.png", "file:z.png")]
    assert [f.path.read_bytes() for f in got] == [b"cats/a b.png", b"z.png"]
    assert all(f.path.is_relative_to(root) for f in got)
    assert not (tmp_path / "none").exists()


def test_local_takes_an_absolute_path(tmp_path):
    root = plant(tmp_path / "pets", "a.png")
    assert [f.relative for f in fetch(source(path=str(root)), tmp_path, Path("elsewhere"))] == ["a.png"]


def test_local_missing_folder(tmp_path):
    with refused(AssetError, f"source 'pets': path = 'my/pets' does not exist (looked at {tmp_path}/my/pets)"):
        fetch(source(path="my/pets"), tmp_path, tmp_path)


def test_local_file_in_place_of_a_folder(tmp_path):
    plant(tmp_path, "pets")
    with refused(AssetError, f"source 'pets': path = 'pets' is not a folder (looked at {tmp_path}/pets)"):
        fetch(source(path="pets"), tmp_path, tmp_path)


def test_local_without_a_path_is_not_the_whole_base(tmp_path):
    with refused(AssetError, f"source 'pets': path = '' is not a folder (looked at {tmp_path})"):
        fetch(source(), tmp_path, plant(tmp_path, "a.png"))


def test_local_without_matching_files_says_how_many_there_are(tmp_path):
    plant(tmp_path / "pets", "a.gif", "b/c.gif")
    with refused(AssetError, "source 'pets': none of 2 files matches include = ['*.png']; the first is 'a.gif'"):
        fetch(source(path="pets", include=("*.png",)), tmp_path, tmp_path)


@pytest.mark.parametrize(("link", "target"), [("pets/out.png", "secret.png"), ("pets/out", ".")])
def test_local_link_that_leaves_is_refused_unless_excluded(tmp_path, link, target):
    plant(tmp_path, "pets/a.png", "secret.png")
    (tmp_path / link).symlink_to(tmp_path / target)
    name, points_at = Path(link).name, (tmp_path / target).resolve()
    message = (
        f"source 'pets': '{name}' is a symbolic link to {points_at}, outside {tmp_path}/pets; "
        "copy what it points at, or add it to exclude"
    )
    with refused(AssetError, message):
        fetch(source(path="pets", include=("*.png",)), tmp_path, tmp_path)
    got = fetch(source(path="pets", include=("**/*.png",), exclude=(name,)), tmp_path, tmp_path)
    assert [f.relative for f in got] == ["a.png"]


def test_local_links_inside_count_and_what_is_no_file_does_not(tmp_path):
    root = plant(tmp_path / "pets", "a.png", "d/b.png")
    (root / "link.png").symlink_to("d/b.png")
    (root / "linked_folder").symlink_to("d")
    (root / "dangling.png").symlink_to("gone.png")
    (root / "loop.png").symlink_to("loop.png")
    os.mkfifo(root / "pipe.png")
    (root / "outside.txt").symlink_to("/etc/hostname")  # include does not ask for it
    got = fetch(source(path="pets", include=("**/*.png",)), tmp_path, tmp_path)
    assert [f.relative for f in got] == ["a.png", "d/b.png", "link.png"]


def test_local_folder_may_itself_be_a_link(tmp_path):
    plant(tmp_path / "real", "a.png")
    (tmp_path / "pets").symlink_to("real")
    assert [f.relative for f in fetch(source(path="pets"), tmp_path, tmp_path)] == ["a.png"]


def test_local_name_that_is_not_utf8_can_still_be_written_down(tmp_path):
    root = plant(tmp_path / "pets", "a.png")
    odd = Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.png"))
    odd.write_bytes(b"odd")
    got = fetch(source(path="pets"), tmp_path, tmp_path)[1]
    assert (got.relative, got.uri, got.path.read_bytes()) == ("caf�.png", "file:caf�.png", b"odd")


def test_an_error_of_the_system_names_the_source(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources.apt, "fetch", full)
    with refused(AssetError, "source 'pets': [Errno 28] No space left on device"):
        fetch(source(kind="apt", package="x"), tmp_path, tmp_path)


def test_fetch_opens_no_connection_for_a_local_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", None)
    monkeypatch.setattr(socket, "create_connection", None)
    plant(tmp_path / "pets", "a.png")
    assert len(fetch(source(path="pets"), tmp_path, tmp_path)) == 1


def test_workspace_sweeps_what_a_killed_process_left(tmp_path):
    plant(tmp_path / "shelf", ".partial-dead/half.png", "whole/a.png")
    with workspace(tmp_path / "shelf") as temporary:
        assert sorted(p.name for p in (tmp_path / "shelf").iterdir()) == [".lock", temporary.name, "whole"]
    assert sorted(p.name for p in (tmp_path / "shelf").iterdir()) == [".lock", "whole"]


def test_workspace_leaves_nothing_after_an_error(tmp_path):
    def half():
        with workspace(tmp_path) as temporary:
            plant(temporary, "half.png")
            raise RuntimeError("boom")

    with refused(RuntimeError, "boom"):
        half()
    assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_publish_replaces_an_older_folder(tmp_path):
    plant(tmp_path / "final", "old.png")
    with workspace(tmp_path) as temporary:
        publish(plant(temporary / "new", "d/new.png"), tmp_path / "final")
    assert [p.relative_to(tmp_path).as_posix() for p in sorted((tmp_path / "final").rglob("*.png"))] == [
        "final/d/new.png"
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "final"]
