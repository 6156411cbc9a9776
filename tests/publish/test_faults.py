"""Publishing while the Hub, the network or the machine fails: main is whole or as it was, and nothing is sent twice."""

import hashlib
import signal

import pytest

from pipeline.index import read_index
from publish import remote, upload
from publish.errors import PublishError
from publish.remote import Item, Remote, Target
from tests.hub_server import TOKEN, Fault

REPO = "org/tiny"
NAME = f"datasets/{REPO}"


def total(build):
    return sum(shard["num_bytes"] for shard in read_index(build)["shards"])


def whole(hub, build):
    files = hub.files(NAME)
    return all(hashlib.sha256(files[s["name"]]).hexdigest() == s["sha256"] for s in read_index(build)["shards"])


PASSING = [  # of the same request, in this order
    Fault("POST", "/repos/create", "drop"),
    Fault("POST", "/discussions$", "drop"),
    Fault("POST", "/commit/", "drop"),
    Fault("POST", "/merge$", "drop"),
    Fault("POST", "/tag/", "drop"),
    Fault("POST", "/preupload/", 500),
    Fault("POST", "/objects/batch", 502),
    Fault("PUT", "/storage/", 500, times=2),
    Fault("PUT", "/storage/", "drop", times=2),
    Fault("POST", "/verify/", 500),
    Fault("POST", "/commit/", 503),
    Fault("POST", "/commit/", "late 503"),
    Fault("POST", "/discussions$", "late 503"),
    Fault("POST", "/repos/create", 500),
    Fault("POST", "/merge$", "late 503"),
    Fault("POST", "/tag/", "late 503"),
    Fault("GET", "/tree/", "drop"),
]


def test_what_passes_is_waited_for(client, small_build):
    client.hub.faults += PASSING
    done = client.layerloom("publish", small_build, REPO)
    assert done.returncode == 0, done.stderr
    assert [f for f in PASSING if f.times] == []
    assert whole(client.hub, small_build)
    repo = client.hub.repos[NAME]
    assert [p["status"] for p in repo.pulls] == ["merged"]
    assert len(repo.tags) == 1
    assert "Signature" not in done.stderr + done.stdout  # of addresses to store at


def test_killed_in_mid_upload_it_goes_on(client, small_build):
    client.hub.faults.append(Fault("PUT", "/storage/", "stall", skip=1))
    running = client.start("publish", small_build, REPO)
    assert client.hub.stalled.wait(60)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert list(client.hub.files(NAME)) == [".gitattributes"]
    before = client.hub.stored
    assert before > 0
    assert client.layerloom("publish", small_build, REPO).returncode == 0
    assert whole(client.hub, small_build)
    lfs = sum(entry.size for entry in client.hub.repos[NAME].tree("main").values() if entry.sha256)
    assert client.hub.stored == lfs  # nothing that had arrived was sent again
    assert len(client.hub.repos[NAME].pulls) == 1


REFUSED = [
    (Fault("POST", "/commit/", 403), "made to fail"),
    (Fault("POST", "/commit/", "corrupt"), "1 files are not as they should be, the first is preview.png"),
    (Fault("POST", "/merge$", 409), f"all files are there and right: merge http://127.0.0.1:PORT/{NAME}/discussions/1"),
    (Fault("POST", "/repos/create", 402), "made to fail"),
]


@pytest.mark.parametrize(("fault", "text"), REFUSED, ids=lambda v: getattr(v, "path", ""))
def test_what_is_refused_leaves_main_as_it_was_and_can_be_tried_again(client, small_build, fault, text):
    client.hub.faults.append(Fault(**vars(fault)))
    failed = client.layerloom("publish", small_build, REPO)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {REPO}")
    assert text.replace("PORT", client.hub.url.rsplit(":", 1)[1]) in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    if NAME in client.hub.repos:
        assert list(client.hub.files(NAME)) == [".gitattributes"]
        assert client.hub.repos[NAME].tags == []
    done = client.layerloom("publish", small_build, REPO)
    assert done.returncode == 0, done.stderr
    assert whole(client.hub, small_build)
    assert len(client.hub.repos[NAME].pulls) == 1


def test_without_a_token(client, small_build):
    failed = client.layerloom("publish", small_build, REPO, HF_TOKEN="")
    assert failed.returncode == 1
    assert "401" in failed.stderr
    assert "hf auth login" in failed.stderr
    wrong = client.layerloom("publish", small_build, REPO, HF_TOKEN="hf_" + "w" * 30)
    assert wrong.returncode == 1
    assert "w" * 30 not in wrong.stderr


def test_a_damaged_shard_is_not_published(client, small_build, copy_of):
    out = copy_of(small_build)
    shard = out / read_index(out)["shards"][0]["name"]
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    failed = client.layerloom("publish", out, REPO)
    assert failed.returncode == 1
    assert f"{shard} is damaged: {len(data)} bytes of SHA-256" in failed.stderr
    assert list(client.hub.files(NAME)) == [".gitattributes"]
    shard.write_bytes(data[:-512])
    cut = client.layerloom("publish", out, REPO)
    assert f"{shard}: {len(data) - 512} bytes, index.json says {len(data)}" in cut.stderr


def test_what_is_replaced_goes_and_what_is_others_stays(client, small_build, tiny_build):
    client.hub.add("dataset", REPO, {"LICENSE": b"mine", "README.md": b"old", "data/train-00000-of-00009.tar": b"old"})
    assert client.layerloom("publish", small_build, REPO).returncode == 0
    assert client.layerloom("publish", tiny_build, REPO).returncode == 0
    files = client.hub.files(NAME)
    assert files["LICENSE"] == b"mine"
    assert sorted(f for f in files if f.startswith("data/")) == sorted(
        s["name"] for s in read_index(tiny_build)["shards"]
    )
    tags = client.hub.repos[NAME].tags
    assert len(tags) == 2
    assert whole(client.hub, tiny_build)
    assert f"data/train-{0:05d}-of-{1:05d}.tar" in client.hub.files(NAME, tags[0])  # the tag keeps the older one


def test_a_tag_stays_with_what_it_stands_for(client, small_build, tiny_build):
    assert client.layerloom("publish", small_build, REPO, "--tag", "v1").returncode == 0
    before = dict(client.hub.repos[NAME].refs)
    failed = client.layerloom("publish", tiny_build, REPO, "--tag", "v1")
    assert failed.returncode == 1
    assert "the tag v1 stands for other files; choose another with --tag" in failed.stderr
    assert client.hub.repos[NAME].refs == before


def test_left_open_for_a_review(client, small_build):
    done = client.layerloom("publish", small_build, REPO, "--no-merge")
    assert f"/datasets/{REPO}/discussions/1 is open" in done.stdout
    assert [p["status"] for p in client.hub.repos[NAME].pulls] == ["open"]
    assert list(client.hub.files(NAME)) == [".gitattributes"]
    assert client.layerloom("publish", small_build, REPO).returncode == 0
    assert [p["status"] for p in client.hub.repos[NAME].pulls] == ["merged"]


def test_a_strangers_pull_request_is_not_gone_on_with(client, small_build):
    repo = client.hub.add("dataset", REPO, {"a.txt": b"a"})
    title = f"layerloom build small {read_index(small_build)['fingerprint'][:12]}"
    repo.pulls.append({"num": 1, "title": title, "status": "open", "author": "mallory", "base": repo.refs["main"]})
    repo.commit("refs/pr/1", {"evil.py": client.hub.store("evil.py", b"import os")})
    assert client.layerloom("publish", small_build, REPO).returncode == 0
    assert "evil.py" not in client.hub.files(NAME)
    assert [p["status"] for p in repo.pulls] == ["open", "merged"]


def test_a_file_that_is_not_ours_in_the_pull_request_stops_it(client, small_build):
    assert client.layerloom("publish", small_build, REPO, "--no-merge").returncode == 0
    repo = client.hub.repos[NAME]
    repo.commit("refs/pr/1", repo.tree("refs/pr/1") | {"evil.py": client.hub.store("evil.py", b"import os")})
    failed = client.layerloom("publish", small_build, REPO)
    assert "refs/pr/1: 1 files are not as they should be, the first is evil.py" in failed.stderr
    assert list(client.hub.files(NAME)) == [".gitattributes"]


def test_a_closed_pull_request_is_left_and_nothing_is_sent_twice(client, small_build):
    client.hub.faults.append(Fault("POST", "/merge$", 409))
    assert client.layerloom("publish", small_build, REPO).returncode == 1
    client.hub.repos[NAME].pulls[0]["status"] = "closed"
    before = client.hub.stored
    assert client.layerloom("publish", small_build, REPO).returncode == 0
    assert client.hub.stored == before
    assert [p["status"] for p in client.hub.repos[NAME].pulls] == ["closed", "merged"]


WITHOUT = """
import sys
sys.modules["mlcroissant"] = None
from layerloom import main
main()
"""


def test_a_missing_library_is_named_with_its_cure(client, small_build):
    failed = client.run(["-c", WITHOUT, "publish", str(small_build), REPO, "--dry-run"])
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "error: mlcroissant is not installed; pip install 'layerloom[publish,eval]'\n"


def test_dry_run_asks_nothing(client, small_build):
    done = client.layerloom("publish", small_build, REPO, "--dry-run", HF_TOKEN="")
    assert done.returncode == 0
    assert client.hub.seen == []
    size = sum(int(n.replace(",", "")) for n in [done.stdout.split("(")[1].split(" bytes")[0]])
    assert client.layerloom("publish", small_build, REPO).returncode == 0
    files = client.hub.files(NAME)
    assert size == sum(len(data) for name, data in files.items() if name != ".gitattributes")


UNREACHABLE = """
import publish.remote
publish.remote._WAIT = 0.0
from layerloom import main
main()
"""


def test_a_hub_out_of_reach_is_one_message(client, small_build):
    client.hub.stop()
    failed = client.run(["-c", UNREACHABLE, "publish", str(small_build), REPO])
    assert failed.returncode == 1
    assert failed.stderr == f"error: {REPO}: [Errno 111] Connection refused\n"


class LostError(ConnectionError):
    pass


def test_waits_double_and_end():
    waits = []
    subject = Remote(Target("org/name", "dataset", "title", "tag", ()), waits.append)

    def step():
        raise LostError(f"no route, token {TOKEN}, https://h/x?X-Amz-Signature=secret")

    with pytest.raises(PublishError) as error:
        subject._do(step)
    assert waits == [1, 2, 4, 8, 16]
    assert str(error.value) == "org/name: no route, token hf_***, https://h/x"


def test_groups_are_bounded(monkeypatch):
    monkeypatch.setattr(upload, "_GROUP_BYTES", 10)
    monkeypatch.setattr(upload, "_GROUP_FILES", 3)
    items = [Item(str(k), b"", size, "") for k, size in enumerate([4, 4, 4, 30, 1, 1, 1, 1])]
    assert [[i.num_bytes for i in g] for g in upload._groups(items)] == [[4, 4], [4], [30], [1, 1, 1], [1]]


@pytest.mark.parametrize("name", ["name", "a/b/c", "org/na--me", "org/name.git", "org/na me"])
def test_names_that_the_hub_does_not_take(name):
    with pytest.raises(PublishError, match=f"^{name}: "):
        upload.check_repo(name)


def test_passing_errors_are_told_from_lasting_ones():
    assert remote.passing(LostError())
    assert not remote.passing(ValueError())
    wrapped = RuntimeError("upload")
    wrapped.__cause__ = LostError()
    assert remote.passing(wrapped)
