"""A file is opened to be read only if it is one."""

from __future__ import annotations

import os

import pytest

from harness.data.locks import sharing
from harness.errors import DataError


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    pipe = tmp_path / "events.h5"
    os.mkfifo(pipe)
    # Held open, so that a reader that would wait for a writer goes on, and this test fails.
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        with pytest.raises(DataError, match="is no regular file"), sharing(pipe):
            pass
    finally:
        os.close(descriptor)


def test_a_folder_and_a_file_that_is_not_there_are_named(tmp_path):
    with pytest.raises(DataError, match="it is a folder"), sharing(tmp_path):
        pass
    with pytest.raises(DataError, match="no such file"), sharing(tmp_path / "none.h5"):
        pass
