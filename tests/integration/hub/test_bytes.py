"""The bytes of a file of the Hub, and who asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data.hub import bring_file, find_revision, list_files, missing_bytes
from harness.data.hub_api import Hub, open_hub
from harness.errors import DataError, ExitCode, HarnessError, UsageError
from tests.file_server import Handler, cut_after, fail_first, hold_after, serve_well
from tests.hub_asking import CONTENT, EVENTS, brought, events_of, hub_at, listed
from tests.hub_server import REPOSITORY, REVISION, refuse
from tests.hub_server import Hub as StandIn


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
    @pytest.fixture(autouse=True)
    def _the_login_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let logins count, also if the library was first imported where they did not."""
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)

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
