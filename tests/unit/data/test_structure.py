"""The structure check: broken values are refused with their place, odd ones are counted."""

from __future__ import annotations

import numpy as np
import pytest

from harness.challenge import ConstituentLayout
from harness.data.structure import StructureCheck, StructureReport
from harness.errors import DataError
from tests.events import LAYOUT, make_events, with_classes


def check(events: np.ndarray, classes: np.ndarray | None = None) -> StructureReport:
    """Check `events` in two chunks."""
    checking = StructureCheck(source="toy.h5", layout=LAYOUT)
    half = len(events) // 2
    for part in (slice(0, half), slice(half, None)):
        checking.add(events[part], None if classes is None else classes[part])
    return checking.report()


class TestSound:
    def test_ordinary_events_leave_no_remark(self) -> None:
        events = make_events(500)
        report = check(events, with_classes(events)[..., 3])
        assert report.remarks == ()
        assert report.n_events == 500

    def test_extremes_and_occupancy_are_those_of_the_events(self) -> None:
        events = make_events(300)
        report = check(events)
        assert report.max_pt == events[..., 0].max()
        assert report.max_abs_eta == np.abs(events[..., 1]).max()
        assert report.max_abs_phi == np.abs(events[..., 2]).max()
        assert report.n_filled == tuple((events[..., 0] > 0).sum(axis=0).tolist())

    def test_pt_may_rise_from_one_kind_of_object_to_the_next(self) -> None:
        events = np.zeros((2, 19, 3), np.float32)
        events[:, [0, 1, 5, 9], 0] = [1.0, 2.0, 3.0, 4.0]
        assert check(events).remarks == ()

    def test_constituents_are_the_same_whatever_they_are_read_with(self) -> None:
        layout = ConstituentLayout(n_constituents=9)
        events = np.zeros((3, 9, 3), np.float32)
        for event, n_filled in zip(events, (2, 8, 1), strict=True):
            event[:n_filled] = np.arange(3 * n_filled, 0, -1).reshape(n_filled, 3) - 9.0
            event[:n_filled, 0] = np.arange(n_filled, 0, -1)
        events[2, 4, 1] = 0.5  # An angle in an empty slot.
        whole, single = (StructureCheck(source="x", layout=layout) for _ in range(2))
        whole.add(events)
        for event in (*events, events[:0]):
            single.add(event.reshape(-1, 9, 3))
        assert whole.report() == single.report()
        report = whole.report()
        assert report.n_filled == (3, 2, 1, 1, 1, 1, 1, 1, 0)
        assert (report.n_padding, report.max_pt) == (1, 8.0)
        assert report.max_abs_eta == np.abs(events[..., 1]).max()


class TestOdd:
    @pytest.mark.parametrize(
        ("count", "rows", "column", "values"),
        [
            ("n_unsorted", [9, 10], 0, [20.0, 30.0]),
            ("n_gaps", [9, 10, 11], 0, [20.0, 0.0, 10.0]),
            ("n_padding", [4], 1, [0.5]),
            ("n_padding", [4], 2, [0.5]),
            ("n_phi_out_of_range", [0], 2, [3.15]),
        ],
    )
    def test_it_is_counted_once_per_event(
        self, count: str, rows: list[int], column: int, values: list[float]
    ) -> None:
        events = np.zeros((10, 19, 3), np.float32)
        events[:, 0, 0] = 30.0
        for event in (1, 7):
            events[event, rows, column] = values
        report = check(events)
        assert getattr(report, count) == 2
        assert any(text.startswith("2 events") for text in report.remarks)

    def test_an_event_with_eta_and_phi_in_an_empty_slot_counts_once(self) -> None:
        events = np.zeros((1, 19, 3), np.float32)
        events[0, 4, 1:] = 1.0
        assert check(events).n_padding == 1

    def test_a_class_that_does_not_follow_from_the_slot_is_counted(self) -> None:
        events = make_events(50)
        classes = with_classes(events)[..., 3]
        classes[3, 0] = 4
        assert check(events, classes).n_class_differs == 1

    def test_phi_a_rounding_above_pi_is_accepted(self) -> None:
        events = np.zeros((1, 19, 3), np.float32)
        events[0, 0] = [10.0, 0.0, 3.142]
        assert check(events).n_phi_out_of_range == 0


class TestBroken:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize(("column", "name"), [(0, "pt"), (1, "eta"), (2, "phi")])
    def test_a_value_that_is_not_finite_is_refused(
        self, value: float, column: int, name: str
    ) -> None:
        events = make_events(100)
        events[73, 9, column] = value
        with pytest.raises(DataError, match=rf"toy.h5, event 73, slot 9: {name} = .* not finite"):
            check(events)

    def test_a_negative_pt_is_refused(self) -> None:
        events = make_events(10)
        events[2, 0, 0] = -1.0
        with pytest.raises(DataError, match=r"event 2, slot 0: pt = -1.0 is a negative pT"):
            check(events)
