"""Which files of the Hub hold a data set: by name and number, none missing, all with a checksum."""

from __future__ import annotations

import pytest

from harness.data.hub import HubFile, HubListing
from harness.data.level1.on_hub import files_of
from harness.errors import DataError

SUM = f"sha256:{'a' * 64}"


def listing(*paths: str, checksum: str | None = SUM) -> HubListing:
    files = [HubFile(path=p, n_bytes=1, checksum=checksum, url="https://x.org") for p in paths]
    return HubListing(repository="CERN/x", revision="b" * 40, files=tuple(files))


WHOLE = listing(
    "data/WtoTauto3Mu/test-00000-of-00001.parquet",
    "data/ZB/train-00000-of-00002.parquet",
    "data/ZB/train-00001-of-00002.parquet",
    "data/ZB/valid-00000-of-00001.parquet",
    "data/ZB/seeds/train-00000-of-00001.parquet",
    "data/ZB/seeds/valid-00000-of-00001.parquet",
    "data/ZB_other/train-00000-of-00001.parquet",
    "data/about.parquet",
)


def paths(*parts: str, with_seeds: bool = False, data_set: str = "ZB") -> list[str]:
    found = files_of(WHOLE, data_set, parts, with_seeds=with_seeds)  # type: ignore[arg-type]
    return [file.path for file in found]


def test_the_files_of_the_wanted_parts_in_the_order_of_their_numbers() -> None:
    assert paths("train") == [
        "data/ZB/train-00000-of-00002.parquet",
        "data/ZB/train-00001-of-00002.parquet",
    ]
    assert paths("validation") == ["data/ZB/valid-00000-of-00001.parquet"]


def test_seeds_only_where_they_are_wanted() -> None:
    assert paths("validation", with_seeds=True) == [
        "data/ZB/valid-00000-of-00001.parquet",
        "data/ZB/seeds/valid-00000-of-00001.parquet",
    ]


def test_a_data_set_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(DataError, match="no data set ZB_run1") as caught:
        paths("train", data_set="ZB_run1")
    assert "one of WtoTauto3Mu, ZB, ZB_other" in str(caught.value)


def test_a_part_and_seeds_that_are_not_there_are_named_together() -> None:
    with pytest.raises(DataError) as caught:
        files_of(WHOLE, "WtoTauto3Mu", ("train", "test"), with_seeds=True)
    text = str(caught.value)
    assert "no file train-*.parquet is listed" in text
    assert "no file test-*.parquet is listed" in text
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "names",
    [
        ["test-00000-of-00002.parquet"],
        ["test-00001-of-00002.parquet"],
        ["test-00000-of-00001.parquet", "test-00000-of-00002.parquet"],
        ["test-00000-of-00001.parquet", "test-extra.parquet"],
        ["test-0-of-1.parquet"],
    ],
)
def test_files_that_are_not_all_of_one_set_are_refused(names: list[str]) -> None:
    some = listing(*(f"data/ZB/{name}" for name in names))
    with pytest.raises(DataError, match="not all of its files are listed: test-"):
        files_of(some, "ZB", ("test",), with_seeds=False)


def test_a_file_without_a_checksum_is_refused_before_any_is_downloaded() -> None:
    some = listing("data/ZB/test-00000-of-00001.parquet", checksum=None)
    with pytest.raises(DataError, match="without a checksum"):
        files_of(some, "ZB", ("test",), with_seeds=False)
