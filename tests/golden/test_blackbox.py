"""Sealed keys and result files of earlier versions stay readable, and their box scorable."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from harness.blackbox.reading import ATTRIBUTES
from harness.blackbox.result import write_result
from harness.blackbox.score import score_blackbox
from harness.blackbox.seal import Secret, open_key

GOLDEN = Path(__file__).parent / "blackbox"
PASSPHRASE = "four or five random words"
# Made for this test alone.
KEY_FILE = "VL8p1J0AEaMtp3KcNUYEEyPdqHIMRE7Q9FNXIcmNres=\n"


@pytest.fixture(params=["passphrase.key", "key_file.key"])
def sealed(request, tmp_path):
    key_file = tmp_path / "secret"
    key_file.write_text(KEY_FILE)
    by_words = request.param == "passphrase.key"
    secret = Secret(passphrase=PASSPHRASE) if by_words else Secret(key_file=key_file)
    return GOLDEN / request.param, secret


def test_an_old_key_opens_with_its_secret(sealed):
    key = open_key(*sealed)

    assert (key.challenge, key.n_events, key.n_allowed) == ("toy", 20_000, 20)
    assert [(signal.process, len(signal.ids)) for signal in key.signals] == [
        ("heavy", 40),
        ("zprime", 30),
    ]


def test_an_old_box_scores_an_old_result(sealed):
    path, secret = sealed

    scored = score_blackbox(GOLDEN / "team_x.h5", key_path=path, secret=secret, isolation="none")

    assert [signal.n_found for signal in scored.signals] == [6, 3]
    assert scored.n_background == 11
    assert scored.together.significance == pytest.approx(8.526770027800334)
    assert scored.declared["Latency"] == 0.5


def contents(path):
    """Return all that a result file holds, with its types."""
    with h5py.File(path) as file:
        ids = file["Result"]
        attributes = {
            name: (file.attrs.get_id(name).dtype, file.attrs[name]) for name in file.attrs
        }
        return (ids.dtype, ids.compression, ids[()].tolist()), attributes


def test_a_result_is_written_as_it_was(tmp_path):
    with h5py.File(GOLDEN / "team_x.h5") as file:
        ids, declared = file["Result"][()], dict(file.attrs)
    assert set(declared) == set(ATTRIBUTES)

    write_result(tmp_path / "team_x.h5", ids, declared)

    assert contents(tmp_path / "team_x.h5") == contents(GOLDEN / "team_x.h5")
