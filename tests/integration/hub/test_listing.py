"""The files of a repository of the Hub: listed, refused, waited for, moved."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data import web
from harness.data.hub import HubFile, bring_file, list_files
from harness.data.hub_api import Hub
from harness.errors import DataError, ExitCode
from tests.file_server import Handler, fail_first
from tests.hub_asking import CONTENT, EVENTS, IMPATIENT, SEEDS, hub_at, listed
from tests.hub_server import REPOSITORY, REVISION, lead_to, refuse
from tests.hub_server import Hub as StandIn


class TestListing:
    def test_paths_sizes_and_checksums_at_the_newest_commit(self, stand_in: StandIn) -> None:
        found = listed(stand_in)
        assert (found.repository, found.revision, found.remarks) == (REPOSITORY, REVISION, ())
        assert [file.path for file in found.files] == [SEEDS, EVENTS]
        assert [file.n_bytes for file in found.files] == [500, len(CONTENT)]
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        assert found.files[1].checksum == f"sha256:{sha256}"

    def test_a_named_commit_is_the_one_that_is_listed(self, stand_in: StandIn) -> None:
        stand_in.revision = "a" * 40
        stand_in.add("data/ZB_run396102/train-00000-of-00002.parquet", b"older")
        stand_in.publish(is_main=False)
        assert len(listed(stand_in).files) == 2
        assert len(listed(stand_in, "a" * 40).files) == 3

    def test_ten_thousand_files_are_listed_page_by_page(self, stand_in: StandIn) -> None:
        for number in range(10_000):
            path = f"data/many/train-{number:05d}-of-10000.parquet"
            stand_in.tree[path] = {**stand_in.tree[EVENTS], "path": path}
        stand_in.publish()
        assert len(listed(stand_in).files) == 10_002
        assert len(stand_in.served.asked(stand_in.tree_path())) == 11

    def test_a_small_file_has_no_checksum_and_is_not_taken(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        path = "data/ZB_run396102/README.md"
        stand_in.tree[path] = {"type": "file", "oid": "a" * 40, "size": 9, "path": path}
        stand_in.publish()
        (small,) = (file for file in listed(stand_in).files if file.path == path)
        assert (small.n_bytes, small.checksum) == (9, None)
        with pytest.raises(DataError, match="without a checksum"):
            bring_file(hub_at(stand_in), REPOSITORY, small, tmp_path)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "path",
        [
            "data/../../etc/passwd",
            "/etc/passwd",
            "data/ZB/../../x.parquet",
            "data/.hidden",
            "data/-rf",
            "data//x.parquet",
            "data/x\x1b[2J.parquet",
            "data/x\n.parquet",
            "data\\..\\x.parquet",
            "data/x.parquet\x00",
            "data/" + "x" * 200,
            "data/" + "/".join("abcdefghij"),
            "",
        ],
    )
    def test_a_path_that_is_not_plain_is_neither_listed_nor_written(
        self, stand_in: StandIn, tmp_path: Path, path: str
    ) -> None:
        stand_in.tree[f"data/{len(stand_in.tree)}"] = {**stand_in.tree[EVENTS], "path": path}
        stand_in.publish()
        assert [file.path for file in listed(stand_in).files] == [SEEDS, EVENTS]
        file = HubFile(path=path, n_bytes=1, checksum=f"sha256:{'a' * 64}", url=stand_in.url)
        with pytest.raises(DataError, match="no path of plain names"):
            bring_file(hub_at(stand_in), REPOSITORY, file, tmp_path)

    def test_next_pages_are_asked_of_the_same_host_whoever_is_named(
        self, stand_in: StandIn
    ) -> None:
        # A copy of the Hub may pass on the Hub's own addresses.
        def name_another(handler: Handler, content: bytes, number: int) -> None:
            address = f"https://huggingface.co/{stand_in.tree_path()}?cursor=1"
            page = json.dumps([list(stand_in.tree.values())[number]]).encode()
            link = {} if number else {"Link": f'<{address}>; rel="next"'}
            handler.begin(200, len(page), **link)
            handler.wfile.write(page)

        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = name_another
        assert len(listed(stand_in).files) == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "said", "fix"),
        [
            (401, "", "Invalid username or password.", "moved or renamed"),
            (404, "RepoNotFound", "Repository not found", "moved or renamed"),
            (403, "GatedRepo", "Access to dataset is restricted", "ask for access"),
            (401, "GatedRepo", "Access to dataset is restricted", "ask for access"),
            (403, "", "Forbidden", "ask for access"),
            (404, "RevisionNotFound", "Invalid rev id: main", "correct `revision`"),
        ],
    )
    def test_who_may_not_read_is_answered_with_what_to_do(
        self, stand_in: StandIn, status: int, code: str, said: str, fix: str
    ) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = refuse(status, code, said)
        with pytest.raises(DataError, match=f"the Hub says {status}") as caught:
            listed(stand_in)
        text = str(caught.value)
        assert fix in text
        assert "--from FOLDER" in text
        assert REPOSITORY in text
        assert caught.value.exit_code == ExitCode.ENVIRONMENT
        assert len(stand_in.served.requests) == 1

    def test_a_folder_that_is_not_there(self, stand_in: StandIn) -> None:
        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = refuse(
            404, "EntryNotFound", "data does not exist"
        )
        with pytest.raises(DataError, match="data does not exist"):
            listed(stand_in)

    def test_no_server_at_all(self) -> None:
        nowhere = Hub(endpoint="http://127.0.0.1:9", patience=IMPATIENT)
        with pytest.raises(DataError, match="given up after 3 attempts") as caught:
            list_files(nowhere, REPOSITORY, None, folder="data")
        assert "--from FOLDER" in str(caught.value)

    def test_what_the_server_says_is_cut(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = refuse(404, "RepoNotFound", "x" * 5000)
        with pytest.raises(DataError) as caught:
            listed(stand_in)
        assert "x" * 200 in str(caught.value)
        assert "x" * 201 not in str(caught.value)


class TestRates:
    def test_a_stated_wait_is_kept(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = fail_first(1, 429, Retry_After="1")
        start = time.monotonic()
        assert len(listed(stand_in).files) == 2
        assert time.monotonic() - start >= 1.0

    def test_so_is_the_one_of_the_hubs_own_header(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        limit = {
            "RateLimit": '"api";r=0;t=0',
            "RateLimit_Policy": '"fixed window";"api";q=500;w=300',
        }
        stand_in.served.behaviours[about] = fail_first(1, 429, **limit)
        start = time.monotonic()
        assert len(listed(stand_in).files) == 2
        assert time.monotonic() - start >= 1.0

    def test_a_header_of_requests_that_remain_asks_for_nothing(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        limit = {"RateLimit": '"api";r=499;t=300'}
        stand_in.served.behaviours[about] = fail_first(1, 503, **limit)
        start = time.monotonic()
        assert len(listed(stand_in).files) == 2
        assert time.monotonic() - start < 100.0

    def test_one_that_asks_for_an_hour_is_not_waited_for(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = refuse(429, "", "slow", Retry_After="3600")
        with pytest.raises(DataError, match="asks to wait 3,600 s"):
            listed(stand_in)

    def test_a_wait_that_a_person_would_notice_is_said(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(web, "_NOTICED_WAIT_S", 0.9)
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = fail_first(1, 429, Retry_After="1")
        said: list[str] = []
        hub = replace(hub_at(stand_in), progress=lambda label, *_: said.append(label))
        list_files(hub, REPOSITORY, None, folder="data")
        assert said == ["waiting 1 s: the server says 429 Too Many Requests"]

    def test_one_that_goes_on_refusing_is_given_up(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = fail_first(99, 429)
        with pytest.raises(DataError, match="given up after 3 attempts"):
            listed(stand_in)
        assert len(stand_in.served.requests) == 3


class TestMoved:
    def test_a_new_name_is_followed_and_said(self, stand_in: StandIn, tmp_path: Path) -> None:
        stand_in.move("CERN/another_name")
        found = listed(stand_in)
        assert found.repository == "CERN/another_name"
        assert found.remarks == (
            f"{REPOSITORY} is called CERN/another_name now: name it so in the manifest",
        )
        path = bring_file(hub_at(stand_in), found.repository, found.files[1], tmp_path)
        assert path.read_bytes() == CONTENT

    def test_another_host_does_not_answer_for_the_hub(self, stand_in: StandIn) -> None:
        elsewhere = stand_in.url.replace("127.0.0.1", "localhost")
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.add("other", stand_in.served.contents[about])
        stand_in.served.behaviours[about] = lead_to(f"{elsewhere}/other")
        with pytest.raises(DataError, match="answers in place of the Hub"):
            listed(stand_in)

    def test_a_circle_ends(self, stand_in: StandIn) -> None:
        about = f"/api/datasets/{REPOSITORY}"
        stand_in.served.behaviours[about] = lead_to(about)
        with pytest.raises(DataError, match="redirects"):
            listed(stand_in)
