"""What is dropped early changes the time that events take, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from harness.simulate.densities import keep_flavour
from harness.simulate.generator import Generator, make_generator
from harness.simulate.presets import COMPONENTS, QCD_BOTTOM, QCD_BOTTOM_PAIR, W, with_tune
from harness.simulate.process import Process

pytest.importorskip("pythia8mc")
HARD_ONLY = ("PartonLevel:all = off", "HadronLevel:all = off")
GRID = "Format: lhagrid1\n---\n0.1 1\n1 10\n-5 -1 1 5 21\n1 2 3 4 5\n6 7 8 9 10\n---\n"


def test_densities_of_one_flavour_hold_its_quarks_and_antiquarks_alone():
    kept = keep_flavour(GRID, 5).splitlines()

    assert kept[:5] == GRID.splitlines()[:5]
    assert [line.split() for line in kept[5:7]] == [
        ["1", "0", "0", "4", "0"],
        ["6", "0", "0", "9", "0"],
    ]


def hard_cross_section(process: Process, n_events: int) -> float:
    """Cross section of the hard processes that are wanted, over the cap [mb]."""
    generator = make_generator(process, 1, HARD_ONLY)
    for _ in range(n_events):
        generator.pythia.next()
        assert process.beam == "none" or generator.pythia.process[3].idAbs() == 5
    return generator.event_mb * generator.pythia.infoPython().nAccepted()


def test_a_beam_of_b_quarks_has_half_the_cross_section_of_b_quarks_in_both():
    settings = ("HardQCD:qg2qg = on", "HardQCD:qq2qq = on", "PhaseSpace:pTHatMin = 35.")
    from_one = QCD_BOTTOM.model_copy(update={"settings": settings})
    from_any = from_one.model_copy(update={"beam": "none"})

    # 1,500 events know it to 3 %.
    found, expected = hard_cross_section(from_one, 1500), hard_cross_section(from_any, 1500)
    assert found == pytest.approx(expected, rel=0.15)


def kept_cross_section(process: Process, n_events: int) -> tuple[float, float]:
    """Cross section of the events that are kept [mb], and its relative statistical error."""
    generator = make_generator(process, 2)
    batch = generator.next_batch(n_events, np.random.default_rng(2))
    return generator.event_mb * batch.n_events, batch.n_events**-0.5


def test_thinning_and_the_choice_by_pt_change_no_cross_section():
    plain = (*QCD_BOTTOM_PAIR.settings[:2], "PhaseSpace:pTHatMin = 35.")
    slow = QCD_BOTTOM_PAIR.model_copy(update={"settings": plain, "parton_cap": 1e-12})
    (found, error), (expected, other_error) = (
        kept_cross_section(process, n) for process, n in ((QCD_BOTTOM_PAIR, 500), (slow, 1000))
    )

    assert found == pytest.approx(expected, rel=4 * np.hypot(error, other_error))
    assert error < 0.1
    assert other_error < 0.1


def leptons(generator: Generator) -> np.ndarray:
    batch = generator.next_batch(300, np.random.default_rng(3))
    highest = np.zeros(batch.n_events)
    np.maximum.at(highest, batch.leptons.event, batch.leptons.pt)
    return highest


def test_every_w_has_a_lepton_and_only_taus_give_soft_ones():
    highest = leptons(make_generator(W, 3))

    # Of W -> tau nu 35 % are kept: an eighth of all, before the cuts. All of them decay to e or mu;
    # a few of those leptons lie below 0.7 GeV.
    assert np.mean(highest > 18.5) > 0.78
    assert np.mean(highest > 0) > 0.97


def test_another_tune_changes_the_shower_and_keeps_the_rest():
    tuned = next(process for process in with_tune("background_a14") if process.name == "w")
    names = ("TimeShower:alphaSvalue", "SpaceShower:alphaSvalue")
    found, default = (
        [make_generator(process, 1).pythia.parm(name) for name in names] for process in (tuned, W)
    )

    # As the files of the tunes that Pythia brings along have them.
    assert found == [0.127, 0.127]
    assert default == [0.1365, 0.1365]
    assert not make_generator(tuned, 1).pythia.flag("PartonLevel:MPI")
    assert list(with_tune("background_a14").values()) == list(COMPONENTS.values())
