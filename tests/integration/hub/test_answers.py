"""Answers of the Hub that are none, or without end."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.data import hub as hub_module
from harness.data import web
from harness.data.hub import find_revision
from harness.errors import DataError
from tests.file_server import Behaviour, Handler, cut_after, serve_after, serve_for_ever
from tests.hub_asking import CONTENT, EVENTS, brought, hub_at, listed
from tests.hub_server import REPOSITORY, REVISION
from tests.hub_server import Hub as StandIn


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
