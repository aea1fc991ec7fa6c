"""The key opens with its secret alone, and says what is wrong otherwise."""

from __future__ import annotations

import json

import pytest

from harness.blackbox import seal
from harness.blackbox.seal import Secret, open_key, seal_key
from harness.errors import DataError, UsageError

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def _light_scrypt(monkeypatch):
    """The least work that a key may ask for: a test opens many."""
    monkeypatch.setattr(seal, "_SCRYPT_N", 2**14)


@pytest.fixture
def sealed(key, tmp_path):
    path = tmp_path / "box.key"
    seal_key(key, Secret(passphrase=PASSPHRASE), path)
    return path


def change(path, **fields):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **fields}))


def test_a_passphrase_opens_the_key(sealed, key):
    assert open_key(sealed, Secret(passphrase=PASSPHRASE)) == key


def test_a_key_file_is_made_and_opens_the_key(key, tmp_path):
    secret = Secret(key_file=tmp_path / "secret")
    seal_key(key, secret, tmp_path / "box.key")

    assert open_key(tmp_path / "box.key", secret) == key
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_one_key_file_seals_many_boxes(key, tmp_path):
    secret = Secret(key_file=tmp_path / "secret")
    for name in ("a.key", "b.key"):
        seal_key(key, secret, tmp_path / name)
    assert open_key(tmp_path / "a.key", secret) == key


def test_nothing_of_the_signals_can_be_read_from_the_file(sealed, key):
    text = sealed.read_text()

    for signal in key.signals:
        assert signal.packed_ids not in text
        assert f'"{signal.process}"' not in text
    assert sealed.stat().st_mode & 0o077 == 0


def test_a_wrong_passphrase_is_told_as_one(sealed):
    with pytest.raises(UsageError, match="the passphrase does not open the key") as caught:
        open_key(sealed, Secret(passphrase="another horse battery"))
    assert "without it nobody" in str(caught.value)


def test_a_lost_key_is_told_with_what_follows(tmp_path):
    with pytest.raises(DataError, match="without its key a black box cannot be scored"):
        open_key(tmp_path / "lost.key", Secret(passphrase=PASSPHRASE))


def test_a_lost_key_file_is_told_with_what_follows(key, tmp_path):
    secret = Secret(key_file=tmp_path / "secret")
    seal_key(key, secret, tmp_path / "box.key")
    (tmp_path / "secret").unlink()

    with pytest.raises(DataError, match="without it the box cannot be scored"):
        open_key(tmp_path / "box.key", secret)


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ({"passphrase": PASSPHRASE}, "opened by a key file"),
        ({"key_file": "other"}, "the key file does not open"),
        ({"key_file": "nonsense"}, "holds no Fernet key"),
    ],
)
def test_another_secret_than_the_key_file(key, tmp_path, secret, told):
    seal_key(key, Secret(key_file=tmp_path / "secret"), tmp_path / "box.key")
    seal_key(key, Secret(key_file=tmp_path / "other"), tmp_path / "other.key")
    (tmp_path / "nonsense").write_text("nonsense")
    if "key_file" in secret:
        secret = {"key_file": tmp_path / secret["key_file"]}

    with pytest.raises((UsageError, DataError), match=told):
        open_key(tmp_path / "box.key", Secret(**secret))


def test_a_changed_token_is_damage_not_a_wrong_passphrase(sealed):
    token = json.loads(sealed.read_text())["token"]
    change(sealed, token=token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:])

    with pytest.raises(DataError, match="its checksum differs"):
        open_key(sealed, Secret(passphrase=PASSPHRASE))


def test_a_newer_version_is_told_as_one(sealed):
    change(sealed, version=2)
    with pytest.raises(DataError, match="a newer harness"):
        open_key(sealed, Secret(passphrase=PASSPHRASE))


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 100, b"[1, 2]"])
def test_what_is_no_key_is_told_as_that(tmp_path, content):
    path = tmp_path / "box.key"
    path.write_bytes(content)
    with pytest.raises(DataError, match="harness black-box key"):
        open_key(path, Secret(passphrase=PASSPHRASE))


def test_a_key_can_not_ask_for_hours_of_work(sealed):
    protection = json.loads(sealed.read_text())["protection"]
    change(sealed, protection={**protection, "n": 2**40})
    with pytest.raises(DataError, match="less than or equal to 1048576"):
        open_key(sealed, Secret(passphrase=PASSPHRASE))


def test_a_key_is_never_written_over(sealed, key):
    before = sealed.read_bytes()
    with pytest.raises(UsageError, match="never written over"):
        seal_key(key, Secret(passphrase=PASSPHRASE), sealed)
    assert sealed.read_bytes() == before


@pytest.mark.parametrize("passphrase", ["", "short", None])
def test_a_short_passphrase_is_refused(key, tmp_path, passphrase):
    with pytest.raises(UsageError, match="12 at least"):
        seal_key(key, Secret(passphrase=passphrase), tmp_path / "box.key")
    assert not (tmp_path / "box.key").exists()


def test_a_key_that_asks_for_work_of_a_wrong_form_is_broken(sealed):
    content = json.loads(sealed.read_text())
    change(sealed, protection={**content["protection"], "n": 2**14 + 1})
    with pytest.raises(DataError, match="power of two"):
        open_key(sealed, Secret(passphrase=PASSPHRASE))


@pytest.mark.parametrize("packed", ["A", "AAAA", "AAAAAAAAAAA="])
def test_numbers_of_a_key_that_are_none_are_told(key, packed):
    broken = key.signals[0].model_copy(update={"packed_ids": packed, "n_events": 2})
    with pytest.raises(DataError, match=r"the key numbers|are broken"):
        _ = broken.ids
