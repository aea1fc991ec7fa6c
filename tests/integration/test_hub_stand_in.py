"""The stand-in of the Hub is true: the Hub's own library reads the same in it as we do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from harness.data.hub import list_files
from harness.data.hub_api import Hub
from tests.hub_server import REPOSITORY, REVISION, hub_server, refuse
from tests.hub_server import Hub as StandIn

EVENTS = "data/ZB_run396102/train-00000-of-00001.parquet"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    # Else the library asks its own default server who the caller may be.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with hub_server() as found:
        found.add(EVENTS, b"events" * 1000)
        for number in range(1200):
            found.tree[f"data/many/{number}"] = {
                **found.tree[EVENTS],
                "path": f"data/many/test-{number:05d}-of-01200.parquet",
            }
        found.publish()
        yield found


def test_both_list_the_same_files(stand_in: StandIn) -> None:
    api = HfApi(endpoint=stand_in.url, token=False)
    commit = api.dataset_info(REPOSITORY, timeout=10).sha
    tree = api.list_repo_tree(
        REPOSITORY, "data", recursive=True, revision=commit, repo_type="dataset"
    )
    theirs = {
        (one.path, one.size, f"sha256:{one.lfs.sha256}")
        for one in tree
        if isinstance(one, RepoFile) and one.lfs is not None
    }
    found = list_files(Hub(endpoint=stand_in.url), REPOSITORY, None, folder="data")
    assert found.revision == commit
    assert {(one.path, one.n_bytes, one.checksum) for one in found.files} == theirs
    assert len(theirs) == 1201


def test_both_name_the_same_address(stand_in: StandIn) -> None:
    found = list_files(Hub(endpoint=stand_in.url), REPOSITORY, None, folder="data")
    (ours,) = (one for one in found.files if one.path == EVENTS)
    assert ours.url == f"{stand_in.url}/datasets/{REPOSITORY}/resolve/{REVISION}/{EVENTS}"


def test_a_new_name_leads_both_to_the_same_commit(stand_in: StandIn) -> None:
    stand_in.move("CERN/another_name")
    api = HfApi(endpoint=stand_in.url, token=False)
    theirs = api.dataset_info(REPOSITORY, timeout=10)
    ours = list_files(Hub(endpoint=stand_in.url), REPOSITORY, None, folder="data")
    assert (theirs.id, theirs.sha) == (ours.repository, ours.revision)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "RepoNotFound", RepositoryNotFoundError),
        (404, "RevisionNotFound", RevisionNotFoundError),
        (403, "GatedRepo", GatedRepoError),
    ],
)
def test_its_library_knows_these_refusals(
    stand_in: StandIn, status: int, code: str, error: type[Exception]
) -> None:
    stand_in.served.behaviours[f"/api/datasets/{REPOSITORY}"] = refuse(status, code, "no")
    with pytest.raises(error):
        HfApi(endpoint=stand_in.url, token=False).dataset_info(REPOSITORY, timeout=10)


def test_its_library_downloads_from_it(stand_in: StandIn, tmp_path: Path) -> None:
    # In a process of its own: the library takes its settings when it is imported.
    environment = {
        **os.environ,
        "HF_ENDPOINT": stand_in.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    code = (
        "import sys; from huggingface_hub import hf_hub_download\n"
        "print(hf_hub_download(sys.argv[1], sys.argv[2], repo_type='dataset', token=False,\n"
        "                      local_dir=sys.argv[3], revision=sys.argv[4]), end='')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, REPOSITORY, EVENTS, str(tmp_path / "files"), REVISION],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout).read_bytes() == b"events" * 1000
