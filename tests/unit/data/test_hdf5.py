"""HDF5 files: read as they are, refused with a reason where they are not what they should be."""

from __future__ import annotations

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.challenge import ADC2021_BYTES
from harness.data import locks
from harness.data.forms import MAX_CHUNK_BYTES
from harness.data.hdf5 import count_events, read_chunks, read_ids
from harness.errors import DataError, ExitCode
from tests.events import LAYOUT, make_events, with_classes, write_hdf5


def read_all(path: Path, chunk_events: int = 100) -> tuple[np.ndarray, np.ndarray]:
    events, classes = zip(*read_chunks(path, LAYOUT, chunk_events=chunk_events), strict=True)
    return np.concatenate(events), np.concatenate(classes)


class TestSound:
    @pytest.mark.parametrize("chunk_events", [1, 64, 100, 1000])
    def test_events_and_classes_come_back(self, tmp_path: Path, chunk_events: int) -> None:
        events = make_events(777)
        path = write_hdf5(tmp_path / "toy.h5", events)
        assert count_events(path, LAYOUT) == 777
        found, classes = read_all(path, chunk_events)
        assert found.dtype == np.float32
        assert np.array_equal(found, events)
        assert np.array_equal(classes, with_classes(events)[..., 3])

    def test_whole_hdf5_chunks_are_read_at_a_time(self, tmp_path: Path) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(500), chunk_events=64)
        sizes = [len(events) for events, _ in read_chunks(path, LAYOUT, chunk_events=100)]
        assert sizes == [128, 128, 128, 116]

    def test_an_unchunked_file_is_read(self, tmp_path: Path) -> None:
        events = make_events(250)
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            file["Particles"] = with_classes(events)
        assert np.array_equal(read_all(tmp_path / "toy.h5")[0], events)

    def test_a_chunk_too_large_for_memory_is_read_in_pieces(self, tmp_path: Path) -> None:
        path = tmp_path / "toy.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "Particles",
                shape=(300, 19, 4),
                maxshape=(None, 19, 4),
                chunks=(MAX_CHUNK_BYTES // ADC2021_BYTES + 1, 1, 1),
                dtype="f8",
            )
        sizes = [len(events) for events, _ in read_chunks(path, LAYOUT, chunk_events=100)]
        assert sizes == [100, 100, 100]


class TestElsewhere:
    """Numbers in another file are not what the checksum of this one covers."""

    @pytest.fixture
    def other(self, tmp_path: Path) -> Path:
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["Particles"] = with_classes(make_events(50))
        return tmp_path / "other.h5"

    @pytest.mark.parametrize("kind", ["external link", "soft link", "raw storage", "virtual"])
    def test_it_is_refused_with_its_name(self, other: Path, tmp_path: Path, kind: str) -> None:
        shape = with_classes(make_events(50)).shape
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            if kind == "external link":
                file["Particles"] = h5py.ExternalLink(other.name, "/Particles")
            elif kind == "soft link":
                file["inner"] = h5py.ExternalLink(other.name, "/")
                file["Particles"] = h5py.SoftLink("/inner/Particles")
            elif kind == "raw storage":
                external = [(str(other), 0, h5py.h5f.UNLIMITED)]
                file.create_dataset("Particles", shape, "f8", external=external)
            else:
                layout = h5py.VirtualLayout(shape, "f8")
                layout[:] = h5py.VirtualSource(str(other), "Particles", shape)
                file.create_virtual_dataset("Particles", layout)

        with pytest.raises(DataError, match=r"inner|other\.h5") as caught:
            count_events(tmp_path / "toy.h5", LAYOUT)

        assert "one file" in str(caught.value)

    def test_ids_in_another_file_are_refused(self, other: Path, tmp_path: Path) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(5))
        with h5py.File(path, "a") as file:
            file["EvtId"] = h5py.ExternalLink(other.name, "/Particles")
        with pytest.raises(DataError, match=r"EvtId is a link to other\.h5"):
            read_ids(path, 5)


class TestBroken:
    def test_wrong_dataset_name(self, tmp_path: Path) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(5), dataset="Jets")
        with pytest.raises(
            DataError, match=r"no dataset Particles; it holds Jets, Particles_Names"
        ):
            count_events(path, LAYOUT)

    @pytest.mark.parametrize("shape", [(5, 19, 3), (5, 18, 4), (5, 76), (5,), ()])
    def test_wrong_shape(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            file["Particles"] = np.zeros(shape)
        with pytest.raises(DataError, match=r"Particles has the shape") as caught:
            count_events(tmp_path / "toy.h5", LAYOUT)
        assert "(N, 19, 4)" in str(caught.value)

    def test_wrong_type(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            file["Particles"] = np.zeros((5, 19, 4), np.int64)
        with pytest.raises(DataError, match="holds int64"):
            count_events(tmp_path / "toy.h5", LAYOUT)

    def test_empty_dataset(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            file["Particles"] = np.zeros((0, 19, 4))
        with pytest.raises(DataError, match="holds no events"):
            count_events(tmp_path / "toy.h5", LAYOUT)

    def test_a_group_of_that_name(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            file.create_group("Particles")
        with pytest.raises(DataError, match="no dataset Particles"):
            count_events(tmp_path / "toy.h5", LAYOUT)

    @pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"\x89HDF\r\n\x1a\n"])
    def test_no_hdf5_at_all(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "toy.h5").write_bytes(content)
        with pytest.raises(DataError, match="HDF5 cannot read it") as caught:
            count_events(tmp_path / "toy.h5", LAYOUT)
        assert caught.value.exit_code == ExitCode.ENVIRONMENT

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
    def test_truncated_anywhere(self, tmp_path: Path, share: float) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(500))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        with pytest.raises(DataError, match="HDF5 cannot read it"):
            read_all(path)

    def test_a_chunk_that_does_not_decompress(self, tmp_path: Path) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(500))
        with h5py.File(path) as file:
            place = file["Particles"].id.get_chunk_info(3)
        content = bytearray(path.read_bytes())
        content[place.byte_offset + 10 : place.byte_offset + 200] = b"\xff" * 190
        path.write_bytes(content)
        with pytest.raises(DataError, match="HDF5 cannot read it"):
            read_all(path)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no such file"):
            count_events(tmp_path / "toy.h5", LAYOUT)

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (PermissionError(errno.EACCES, "Permission denied"), "you may not read it"),
            (OSError(errno.EIO, "Input/output error"), "cannot be opened: Input/output error"),
            (IsADirectoryError(errno.EISDIR, "Is a directory"), "it is a folder"),
        ],
    )
    def test_what_cannot_be_opened_is_not_called_broken(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, told: str
    ) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(5))

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(locks, "open_regular", fail)
        with pytest.raises(DataError, match=told):
            count_events(path, LAYOUT)

    def test_a_file_that_is_written_while_it_is_read(self, tmp_path: Path) -> None:
        path = write_hdf5(tmp_path / "toy.h5", make_events(500), chunk_events=64)
        chunks = read_chunks(path, LAYOUT, chunk_events=64)
        next(chunks)
        with path.open("ab") as stream:
            stream.write(b"more")
        with pytest.raises(DataError, match="it changed while it was read"):
            list(chunks)

    def test_a_number_too_large_for_float32_becomes_infinite(self, tmp_path: Path) -> None:
        # ... and is refused by the structure check as not finite.
        values = with_classes(make_events(3))
        values[1, 0, 0] = 1e300
        with h5py.File(tmp_path / "toy.h5", "w") as file:
            file["Particles"] = values
        assert np.isinf(read_all(tmp_path / "toy.h5")[0][1, 0, 0])
