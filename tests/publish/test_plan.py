"""What a person is told before and after."""

import pytest

from publish.dataset import prepare
from publish.plan import plan_lines, published_lines, size
from publish.upload import Published

SIZES = [
    (0, "0 B"),
    (1023, "1023 B"),
    (1024, "1.0 KiB"),
    (1536, "1.5 KiB"),
    (5 * 2**30, "5.0 GiB"),
    (2**52, "4096.0 TiB"),
]


@pytest.mark.parametrize(("count", "text"), SIZES)
def test_size(count, text):
    assert size(count) == text


def test_plan_counts_files_by_folder(small_build):
    made = prepare(small_build, "org/small", tag="v1", merge=False)
    text = "\n".join(plan_lines(made.items, made.target, made.notes))
    shards = [i for i in made.items if i.path.startswith("data/")]
    assert f"data/ {len(shards)} files" in " ".join(text.split())
    assert f"({sum(i.num_bytes for i in made.items):,} bytes)" in text
    assert "leave it open" in text
    assert "tag it" not in text
    assert "tag it v1" in "\n".join(plan_lines(made.items, made.target._replace(merge=True), []))


def test_what_is_beside_and_what_the_card_tells_is_said(small_build, copy_of):
    out = copy_of(small_build)
    (out / "notes.txt").write_text("mine")
    record = out / ".build" / "build.json"
    record.write_text(record.read_text().replace("../../build/tiny-assets", "/home/me/assets"))
    notes = prepare(out, "org/small").notes
    assert "not published: notes.txt" in notes
    assert len(notes) == 2
    assert notes[0].startswith("its card names folders of this machine: /home/me/assets")
    assert prepare(small_build, "org/small").notes == []


def test_the_same_build_gives_the_same_files(small_build):
    assert prepare(small_build, "org/small").items == prepare(small_build, "org/small").items


def test_published():
    done = Published("https://h/datasets/o/n", "abc", "v1", 3, True, 5, 2048)
    assert list(published_lines(done)) == [
        "5 files, 2.0 KiB sent; every file's size and hash on the Hub is right",
        "https://h/datasets/o/n at v1 (abc)",
    ]
    assert (
        list(published_lines(done._replace(merged=False)))[1]
        == "https://h/datasets/o/n/discussions/3 is open: merge it there"
    )
    assert list(published_lines(done._replace(pull=0))) == ["https://h/datasets/o/n holds all of it already, at v1"]
