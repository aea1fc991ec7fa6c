"""Attacks by the files that come back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.errors import InvalidSubmissionError, LimitError, SubmissionError
from harness.sandbox.scores import read_scores
from harness.sandbox.step import MIB
from tests.hostile.attack import Attack, NotTried, attack
from tests.hostile.attempt import Attempt, plain_python
from tests.hostile.world import World

MOUNT_POINT = "an output is a mount point: it can be written, not replaced"
SCORES = {"scores": 8000}


def _replaced(attempt: Attempt, world: World) -> bool:
    place = attempt.folder / "scores"
    return place.is_symlink() or not place.is_file()


def _replaces(attack_: Attack, world: World, folder: Path) -> bool:
    (folder / "scores").touch()
    plain_python(attack_, world, folder)
    place = folder / "scores"
    return place.is_symlink() or not place.is_file()


for name, make in {
    "symlink": "os.symlink(request['events'], place)",
    "dangling-symlink": "os.symlink('/proc/self/mem', place)",
    "fifo": "os.mkfifo(place)",
    "folder": "os.mkdir(place)",
    "nothing": "pass",
}.items():
    attack(
        f"scores-become-a-{name}",
        kind="results",
        claim=MOUNT_POINT,
        outputs=SCORES,
        code=f"""
        place = outputs['scores']
        os.remove(place)
        {make}
        """,
        ends=SubmissionError,
        got_through=_replaced,
        control=_replaces,
    )
attack(
    "rename-over-the-scores",
    kind="results",
    claim=MOUNT_POINT,
    outputs=SCORES,
    code="""
    other = os.environ.get('TMPDIR', '/tmp') + '/other'
    os.symlink(request['events'], other)
    os.rename(other, outputs['scores'])
    """,
    ends=SubmissionError,
    got_through=_replaced,
    control=NotTried(because="the scratch folder may lie on another file system"),
)
attack(
    "further-output-files",
    kind="results",
    claim="a step leaves the files that it declared, no others",
    outputs=SCORES,
    code="""
    place = outputs['scores'].with_name('card.json')
    place.write_text('{}')
    found = place.exists()
    """,
)


def _grows(attack_: Attack, world: World, folder: Path) -> bool:
    (folder / "scores").touch()
    plain_python(attack_, world, folder)
    return (folder / "scores").stat().st_size > SCORES["scores"]


attack(
    "scores-of-a-terabyte",
    kind="results",
    claim="an output is limited in size by the kernel while it is written",
    outputs=SCORES,
    code="""
    os.truncate(outputs['scores'], 2 ** 40)
    found = True
    """,
    ends=LimitError,
    says="file size",
    control=_grows,
)


attack(
    "scores-larger-than-declared",
    kind="results",
    claim="an output larger than declared is refused",
    outputs=SCORES,
    code="""
    outputs['scores'].write_bytes(bytes(8001))
    """,
    ends=InvalidSubmissionError,
    says="8,001 bytes",
    control=_grows,
)


def _changes_later(attempt: Attempt, world: World) -> bool:
    import time

    place = attempt.folder / "scores"
    before = place.read_bytes()
    # Where nobody is left, nothing can change any more.
    while world.survivors() and place.read_bytes() == before:
        time.sleep(0.01)
    return place.read_bytes() != before or before != b"first"


attack(
    "scores-changed-after-the-check",
    kind="results",
    claim="when outputs are checked, nothing that could change them is alive",
    outputs=SCORES,
    code="""
    outputs['scores'].write_bytes(b'first')
    rename_process(request['marker'])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(0.1)
                outputs['scores'].write_bytes(str(time.time()).encode())
        os._exit(0)
    os.wait()
    """,
    got_through=_changes_later,
)


def _kept_descriptor(attempt: Attempt, world: World) -> bool:
    return (attempt.folder / "scores").stat().st_uid != os.geteuid()


def _mode_stays(attack_: Attack, world: World, folder: Path) -> bool:
    (folder / "scores").touch()
    plain_python(attack_, world, folder)
    return (folder / "scores").stat().st_mode & 0o6000 == 0o6000


attack(
    "scores-of-another-owner",
    kind="results",
    claim="outputs come back as the scorer's own, with ordinary permissions",
    outputs=SCORES,
    code="""
    outputs['scores'].write_bytes(b'x')
    os.chmod(outputs['scores'], 0o6777)
    """,
    got_through=lambda attempt, world: (
        _kept_descriptor(attempt, world)
        or bool((attempt.folder / "scores").stat().st_mode & 0o7177)
    ),
    control=_mode_stays,
)


def _is_read(make: Callable[[Path], None], n_events: int = 4) -> Callable[[World, Path], bool]:
    """Return an attack on the reader of scores: whether it takes what `make` wrote."""

    def run(world: World, folder: Path) -> bool:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / "scores"
        make(place)
        try:
            read_scores(place, n_events)
        except InvalidSubmissionError:
            return False
        return True

    return run


def _numpy_reads(make: Callable[[Path], None]) -> Callable[[Attack, World, Path], bool]:
    """Return a control: numpy.fromfile takes what `make` wrote."""

    def control(attack_: Attack, world: World, folder: Path) -> bool:
        place = folder / "scores"
        make(place)
        return len(np.fromfile(place, "<f8")) > 0

    return control


def _write(values: list[float]) -> Callable[[Path], None]:
    return lambda place: place.write_bytes(np.array(values, "<f8").tobytes()) and None


def _payload_nan(place: Path) -> None:
    # A NaN that carries 51 bits of its own, as a label might be.
    place.write_bytes(np.array([0x7FF8DEADBEEF0001] * 4, "<u8").tobytes())


def _signalling_nan(place: Path) -> None:
    place.write_bytes(np.array([0x7FF0000000000001] * 4, "<u8").tobytes())


def _to_a_file_elsewhere(place: Path) -> None:
    target = place.with_name("elsewhere")
    target.write_bytes(np.zeros(4).tobytes())
    place.symlink_to(target)


for name, make in {
    "with-nan": _write([1.0, float("nan"), 2.0, 3.0]),
    "with-payload-nan": _payload_nan,
    "with-signalling-nan": _signalling_nan,
    "with-infinity": _write([1.0, float("inf"), 2.0, 3.0]),
    "with-infinity-in-the-tail": _write([1.0, 2.0, 3.0, float("-inf")]),
    "too-short": _write([1.0, 2.0, 3.0]),
    "too-long": _write([1.0, 2.0, 3.0, 4.0, 5.0]),
    "with-a-half-number": lambda place: place.write_bytes(bytes(33)) and None,
    "by-a-link": _to_a_file_elsewhere,
}.items():
    attack(
        f"scores-{name}",
        kind="results",
        claim="scores are exactly n finite numbers in a regular file",
        run=_is_read(make),
        control=_numpy_reads(make),
    )
attack(
    "scores-in-a-fifo",
    kind="results",
    claim="reading scores never waits for a writer",
    run=_is_read(os.mkfifo),
    control=NotTried(because="an ordinary read would wait for ever"),
)


def _two_zeros(world: World, folder: Path) -> bool:
    """Whether the bits of equal scores can tell two groups of events apart."""
    folder.mkdir(parents=True, exist_ok=True)
    _write([0.0, -0.0, 5e-324, -5e-324])(folder / "scores")
    scores = read_scores(folder / "scores", 4)
    return bool(np.signbit(scores[:2]).any()) or scores[2] != 5e-324 or scores[3] != -5e-324


attack(
    "scores-minus-zero",
    kind="results",
    claim="minus zero is zero, and subnormal numbers keep their order",
    run=_two_zeros,
    control=lambda attack_, world, folder: bool(np.signbit(np.array([-0.0]))[0]),
)
attack(
    "fill-the-disk-by-outputs",
    kind="results",
    claim="each output is limited, however many processes write",
    outputs={"scores": 8 * MIB},
    code="""
    with open(outputs['scores'], 'wb') as file:
        for n in range(1000):
            file.write(bytes(2 ** 20))
    found = True
    """,
    ends=LimitError,
    says="file size",
    control=NotTried(because="it fills the disk"),
)
