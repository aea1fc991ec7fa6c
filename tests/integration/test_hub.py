"""The files of a repository of the Hub, listed and brought from a stand-in that behaves badly."""

from __future__ import annotations

import gc
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from harness.data import hub as hub_module
from harness.data import web
from harness.data.hub import (
    HubFile,
    HubListing,
    bring_file,
    find_revision,
    list_files,
    missing_bytes,
)
from harness.data.hub_api import Hub, open_hub
from harness.data.web import Patience
from harness.errors import DataError, ExitCode, HarnessError, UsageError
from tests.file_server import (
    Behaviour,
    Handler,
    cut_after,
    fail_first,
    hold_after,
    serve_after,
    serve_for_ever,
    serve_well,
)
from tests.hub_server import REPOSITORY, REVISION, hub_server, lead_to, refuse
from tests.hub_server import Hub as StandIn

EVENTS = "data/ZB_run396102/train-00000-of-00001.parquet"
SEEDS = "data/ZB_run396102/seeds/train-00000-of-00001.parquet"
CONTENT = bytes(range(256)) * 500
IMPATIENT = Patience(max_attempts=3, first_wait_s=0.01, answer_s=60.0)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """A repository with two large files and a small one."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with hub_server() as found:
        found.add(EVENTS, CONTENT)
        found.add(SEEDS, b"seeds" * 100)
        found.publish()
        yield found


def hub_at(stand_in: StandIn, token: str | None = None, **patience: float) -> Hub:
    kept = {"max_attempts": 3, "first_wait_s": 0.01, "answer_s": 60.0, **patience}
    return Hub(endpoint=stand_in.url, token=token, patience=Patience(**kept))


def listed(stand_in: StandIn, revision: str | None = None, **patience: float) -> HubListing:
    return list_files(hub_at(stand_in, **patience), REPOSITORY, revision, folder="data")


def events_of(stand_in: StandIn) -> HubFile:
    return next(file for file in listed(stand_in).files if file.path == EVENTS)


def brought(stand_in: StandIn, folder: Path, **patience: float) -> Path:
    file = events_of(stand_in)
    return bring_file(hub_at(stand_in, **patience), REPOSITORY, file, folder)


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


def info(**changes: object) -> bytes:
    return json.dumps({"id": REPOSITORY, "sha": REVISION, **changes}).encode()


class TestOtherAnswers:
    @pytest.mark.parametrize(
        ("answer", "complaint"),
        [
            (b"<html>maintenance</html>", "JSON"),
            (b"", "JSON"),
            (b"[]", "object"),
            (info(sha="main"), "sha"),
            (info(sha=None), "sha"),
            (info(id="../../etc"), "id"),
            (info(id="CERN/a/../b"), "id"),
            (b"{" * 100_000, "JSON"),
        ],
    )
    def test_about_a_repository(self, stand_in: StandIn, answer: bytes, complaint: str) -> None:
        stand_in.served.add(f"api/datasets/{REPOSITORY}", answer)
        with pytest.raises(DataError, match=complaint) as caught:
            listed(stand_in)
        assert "an answer of the Hub's interface" in str(caught.value)

    def test_another_commit_than_the_one_that_was_asked_for(self, stand_in: StandIn) -> None:
        asked = "b" * 40
        stand_in.served.add(f"api/datasets/{REPOSITORY}/revision/{asked}", info())
        with pytest.raises(DataError, match=f"answers with the commit {REVISION}"):
            find_revision(hub_at(stand_in), REPOSITORY, asked)

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"lfs": {"oid": "short", "size": 1}}, "lfs.oid"),
            ({"lfs": {"oid": "A" * 64, "size": 1}}, "lfs.oid"),
            ({"lfs": {"oid": "a" * 64, "size": -1}}, "lfs.size"),
            ({"lfs": {"size": 1}}, "lfs.oid"),
            ({"size": "large"}, "size"),
            ({"size": -5}, "size"),
            ({"path": None}, "path"),
            ({"path": "x" * 5000}, "path"),
            ({"type": 3}, "type"),
        ],
    )
    def test_about_a_file(
        self, stand_in: StandIn, changes: dict[str, object], complaint: str
    ) -> None:
        stand_in.tree[EVENTS] = {**stand_in.tree[EVENTS], **changes}
        stand_in.publish()
        with pytest.raises(DataError, match=complaint):
            listed(stand_in)

    def test_a_file_that_is_listed_twice(self, stand_in: StandIn) -> None:
        stand_in.tree["data/again"] = stand_in.tree[EVENTS]
        stand_in.publish()
        with pytest.raises(DataError, match="is listed twice"):
            listed(stand_in)

    def test_pages_without_end(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_module, "_MAX_PAGES", 20)

        def go_on(handler: Handler, _: bytes, number: int) -> None:
            handler.begin(200, 2, Link=f'</{stand_in.tree_path()}?cursor={number}>; rel="next"')
            handler.wfile.write(b"[]")

        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = go_on
        with pytest.raises(DataError, match="more than 20 pages"):
            listed(stand_in)

    def test_a_list_that_takes_too_long_in_all(self, stand_in: StandIn) -> None:
        def go_on(handler: Handler, _: bytes, number: int) -> None:
            time.sleep(0.05)
            handler.begin(200, 2, Link=f'</{stand_in.tree_path()}?cursor={number}>; rel="next"')
            handler.wfile.write(b"[]")

        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = go_on
        with pytest.raises(DataError, match="not whole after"):
            listed(stand_in, total_s=0.3)

    def test_files_without_end(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_module, "_MAX_ENTRIES", 3)
        with pytest.raises(DataError, match="more than 3 files"):
            listed(stand_in)

    def test_an_answer_without_end_is_cut_off(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(web, "MOST_DOCUMENT_BYTES", 100_000)
        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = serve_for_ever
        stand_in.served.contents[f"/{stand_in.tree_path()}"] = b"[" * 10_000
        with pytest.raises(DataError, match="larger than 100,000 bytes"):
            listed(stand_in)

    def test_one_that_comes_after_long_is_not_waited_for(self, stand_in: StandIn) -> None:
        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = serve_after(60.0)
        start = time.monotonic()
        with pytest.raises(DataError, match=r"no answer in 0\.2 s"):
            listed(stand_in, answer_s=0.2, max_attempts=2)
        assert time.monotonic() - start < 30.0

    def test_one_that_ends_in_the_midst_is_asked_for_again(self, stand_in: StandIn) -> None:
        path = f"/{stand_in.tree_path()}"
        well = stand_in.served.behaviours[path]

        def cut_first(handler: Handler, content: bytes, number: int) -> None:
            (well if number else cut_after(1))(handler, content, number)

        stand_in.served.behaviours[path] = cut_first
        assert len(listed(stand_in).files) == 2


def answer_with(status: int, **headers: str) -> Behaviour:
    def behave(handler: Handler, content: bytes, _: int) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return behave


BAD_HEADS = {
    "a length of many digits": (200, {"Content_Length": "9" * 5000}),
    "a length that is none": (200, {"Content_Length": "-5"}),
    "a place of many digits": (206, {"Content_Range": f"bytes {'9' * 5000}-1/2"}),
    "an address that is none": (302, {"Location": "http://[::1"}),
    "an address that is no text": (302, {"Location": "/\xff\xfe"}),
    "a next page that is none": (200, {"Link": '<http://[::1>; rel="next"'}),
    "links without an end": (200, {"Link": "<" * 60_000}),
    "a wait of many digits": (429, {"Retry_After": "9" * 5000}),
    "a limit of many digits": (429, {"RateLimit": f'"api";r=0;t={"9" * 5000}'}),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestHeads:
    """Whatever the head of an answer says, it ends in a message or in what was asked for."""

    @pytest.fixture(autouse=True)
    def _collected(self) -> Iterator[None]:
        yield
        # requests leaves the line of a wrong address open: it is closed here, not in a later test.
        gc.collect()

    @pytest.mark.parametrize("name", BAD_HEADS)
    def test_of_the_list(self, stand_in: StandIn, name: str) -> None:
        status, headers = BAD_HEADS[name]
        path = f"/{stand_in.tree_path()}"
        stand_in.served.contents[path] = b"[]"
        stand_in.served.behaviours[path] = answer_with(status, **headers)
        with suppress(DataError):
            assert listed(stand_in, max_attempts=2).files == ()

    @pytest.mark.parametrize("name", BAD_HEADS)
    def test_of_a_file(self, stand_in: StandIn, tmp_path: Path, name: str) -> None:
        status, headers = BAD_HEADS[name]
        stand_in.served.behaviours[f"/cdn/{EVENTS}"] = answer_with(status, **headers)
        with suppress(DataError):
            assert brought(stand_in, tmp_path, max_attempts=2).read_bytes() == CONTENT

    def test_an_address_of_a_file_of_this_machine(self, stand_in: StandIn, tmp_path: Path) -> None:
        away = answer_with(302, Location="file:///etc/passwd")
        stand_in.served.behaviours[f"/{stand_in.tree_path()}"] = away
        with pytest.raises(DataError, match="No connection adapters"):
            listed(stand_in)


class TestBytes:
    def test_a_file_comes_whole_under_its_path(self, stand_in: StandIn, tmp_path: Path) -> None:
        path = brought(stand_in, tmp_path)
        assert path == tmp_path / EVENTS
        assert path.read_bytes() == CONTENT
        assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]

    def test_what_is_here_is_not_asked_for_again(self, stand_in: StandIn, tmp_path: Path) -> None:
        brought(stand_in, tmp_path)
        files = listed(stand_in).files
        assert missing_bytes(files, tmp_path) == 500
        brought(stand_in, tmp_path)
        assert stand_in.asked(EVENTS) == [None]

    def test_a_cut_line_is_resumed_at_an_address_that_is_signed_again(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        stand_in.add(EVENTS, CONTENT, cut_after(50_000))
        assert brought(stand_in, tmp_path).read_bytes() == CONTENT
        assert stand_in.asked(EVENTS) == [None, "bytes=50000-", "bytes=100000-"]
        # Each time by way of the Hub, since a signed address holds for a while only.
        assert len(stand_in.served.asked(stand_in.resolve_path(EVENTS))) == 3

    def test_after_an_interruption_it_goes_on_from_what_came(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        stand_in.add(EVENTS, CONTENT, hold_after(30_000))
        file = events_of(stand_in)

        def interrupt(label: str, done: int, total: int | None, unit: str) -> None:
            assert label == EVENTS
            if done >= 30_000:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bring_file(hub_at(stand_in), REPOSITORY, file, tmp_path, interrupt)
        assert not (tmp_path / EVENTS).exists()
        assert missing_bytes((file,), tmp_path) == len(CONTENT) - 30_000
        stand_in.served.behaviours[f"/cdn/{EVENTS}"] = serve_well
        assert brought(stand_in, tmp_path).read_bytes() == CONTENT
        assert stand_in.asked(EVENTS) == [None, "bytes=30000-"]

    def test_other_bytes_of_the_same_length_are_refused_and_not_kept(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        stand_in.served.contents[f"/cdn/{EVENTS}"] = b"x" * len(CONTENT)
        with pytest.raises(DataError, match="not the file that was asked for") as caught:
            brought(stand_in, tmp_path)
        assert caught.value.exit_code == ExitCode.ENVIRONMENT
        assert not [one for one in tmp_path.rglob("*") if one.is_file()]

    def test_more_bytes_than_listed_are_refused_before_they_come(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        stand_in.served.contents[f"/cdn/{EVENTS}"] = CONTENT + b"x"
        with pytest.raises(DataError, match=f"announces {len(CONTENT) + 1:,} bytes"):
            brought(stand_in, tmp_path)

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_two_faults_then_the_file(self, stand_in: StandIn, tmp_path: Path, status: int) -> None:
        path = f"/{stand_in.resolve_path(EVENTS)}"
        well = stand_in.served.behaviours[path]

        def behave(handler: Handler, content: bytes, number: int) -> None:
            (well if number >= 2 else fail_first(2, status))(handler, content, number)

        stand_in.served.behaviours[path] = behave
        assert brought(stand_in, tmp_path).read_bytes() == CONTENT

    def test_a_file_that_may_not_be_read(self, stand_in: StandIn, tmp_path: Path) -> None:
        path = f"/{stand_in.resolve_path(EVENTS)}"
        stand_in.served.behaviours[path] = refuse(403, "GatedRepo", "restricted")
        with pytest.raises(DataError, match="ask for access"):
            brought(stand_in, tmp_path)


class TestWhoAsks:
    def test_a_token_goes_to_the_hub_and_to_no_other_host(
        self, stand_in: StandIn, tmp_path: Path
    ) -> None:
        hub = hub_at(stand_in, token="hf_secret")
        found = list_files(hub, REPOSITORY, None, folder="data")
        bring_file(hub, REPOSITORY, found.files[1], tmp_path)
        sent = [
            (path.split("/")[1], head.get("Authorization"))
            for (path, _), head in zip(stand_in.served.requests, stand_in.served.heads, strict=True)
        ]
        assert ("api", "Bearer hf_secret") in sent
        assert ("datasets", "Bearer hf_secret") in sent
        assert [token for where, token in sent if where == "cdn"] == [None]
        assert "hf_secret" not in repr(hub)

    def test_no_token_is_sent_where_there_is_none(self, stand_in: StandIn) -> None:
        listed(stand_in)
        assert not [head for head in stand_in.served.heads if "Authorization" in head]

    def test_the_environment_names_the_hub_and_the_user(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", f"{stand_in.url}/")
        monkeypatch.setenv("HF_TOKEN", "hf_mine")
        hub = open_hub()
        assert (hub.endpoint, hub.headers) == (stand_in.url, {"Authorization": "Bearer hf_mine"})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("HF_ENDPOINT", "huggingface.co"),
            ("HF_ENDPOINT", "file:///etc"),
            ("HF_ENDPOINT", "https://user:secret@x.org"),
            ("HF_TOKEN", "a b"),
            ("HF_TOKEN", "ключ"),
        ],
    )
    def test_an_environment_that_cannot_be_is_a_fault_of_usage(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(UsageError) as caught:
            open_hub()
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        "act",
        [
            lambda hub: list_files(hub, REPOSITORY, None, folder="data"),
            lambda hub: find_revision(hub, REPOSITORY, REVISION),
        ],
    )
    def test_a_token_is_in_no_message(
        self, act: Callable[[Hub], object], stand_in: StandIn
    ) -> None:
        for path in list(stand_in.served.contents):
            stand_in.served.behaviours[path] = refuse(401, "", "Invalid credentials")
        with pytest.raises(HarnessError) as caught:
            act(hub_at(stand_in, token="hf_secret"))
        assert "hf_secret" not in str(caught.value)
