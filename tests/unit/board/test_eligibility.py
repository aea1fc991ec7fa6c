"""Who is ranked: every reason against an entry."""

from __future__ import annotations

import pytest

from harness.board.eligibility import requirements
from harness.card.checks import Check
from harness.card.figures import Band, NotMeasured
from harness.card.hardware import NO_SECOND_TRANSLATOR, SECOND_TRANSLATOR, Agreement
from harness.card.run import IsolationRecord
from harness.challenge import Budget, RankingRules
from tests.boards import board, reasons, with_point
from tests.cards import SIGNALS, TARGET, make_card, make_challenge, make_firmware


def test_a_good_card_has_no_reason_against_it():
    assert reasons(make_card()) == ()


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (make_card(division="open"), "open division"),
        (make_card(is_official=False, unofficial_because=("a subset",)), "unofficial: a subset"),
        (make_card(isolation=IsolationRecord(kind="none")), "without isolation"),
        (make_card(firmware=make_firmware(cycles=201)), "latency 1,005 ns is over the limit"),
        (make_card(firmware=make_firmware(interval_cycles=6)), "initiation interval 30 ns is over"),
        (make_card(firmware=make_firmware(lut=394_081)), "LUT 394,081 is over the limit of 394,08"),
        (make_card(firmware=make_firmware(ff=788_161)), "FF 788,161 is over"),
        (make_card(firmware=make_firmware(dsp=2_281)), "DSP 2,281 is over"),
        (make_card(firmware=make_firmware(bram18=1_441)), "BRAM18 1,441 is over"),
        (make_card(firmware=make_firmware(evidence="estimate")), "LUT rests on estimate"),
        (
            make_card(firmware=NotMeasured(not_measured="no netlist")),
            "the firmware was not measured: no netlist",
        ),
        (
            make_card(firmware_physics=NotMeasured(not_measured="no simulator")),
            "firmware's scores were not measured: no simulator",
        ),
        (
            make_card(checks=NotMeasured(not_measured="quick run")),
            "integrity checks were not made: quick run",
        ),
        (
            make_card(
                checks=(Check(name="order", outcome="leak", n_events=9, max_difference=1.0),)
            ),
            "integrity check order",
        ),
        (with_point(make_card(), is_low_statistics=True, n_allowed=9), "low statistics: only 9"),
    ],
)
def test_each_reason_against_an_entry_is_told(card, reason):
    found = reasons(card)
    assert any(reason in text for text in found), found


def test_all_reasons_are_told_at_once():
    firmware = make_firmware(cycles=300, lut=500_000)
    card = make_card(firmware=firmware, isolation=IsolationRecord(kind="none"))

    found = " | ".join(reasons(card))

    assert "isolation" in found
    assert "latency 1,500 ns" in found
    assert "LUT 500,000" in found


def test_a_requirement_at_its_limit_is_met():
    assert reasons(make_card(firmware=make_firmware(cycles=200, lut=394_080))) == ()


def banded(cycles: float, lower: float, upper: float):
    """Return firmware of a clock period of 5 ns that may be from `lower` to `upper`."""
    made = make_firmware(cycles=cycles)
    period = made.clock_period_ns.model_copy(update={"band": Band(lower=lower, upper=upper)})
    latency = made.latency_cycles.times(period)
    return made.model_copy(update={"clock_period_ns": period, "latency_ns": latency})


def test_an_estimate_ranks_only_if_the_upper_edge_of_its_band_keeps_the_limit():
    assert reasons(make_card(firmware=banded(160, 4.0, 6.0))) == ()
    (reason,) = reasons(make_card(firmware=banded(180, 4.0, 6.0)))
    assert reason == (
        "latency 900 ns is undecided: it is an estimate, 720 to 1,080 ns, and the limit of 1,000 "
        "ns lies within"
    )
    (reason,) = reasons(make_card(firmware=banded(10, 5.0, 26.0)))
    assert "initiation interval 5 ns is undecided" in reason
    # Beyond the lower edge too: it fails.
    (reason,) = reasons(make_card(firmware=banded(300, 4.0, 6.0)))
    assert "is over the limit" in reason


def test_latency_is_gated_by_the_evidence_of_its_cycles():
    # Without place and route the clock period and so the nanoseconds are an estimate.
    firmware = make_firmware()
    assert firmware.latency_ns.evidence == "estimate"
    assert reasons(make_card(firmware=firmware)) == ()
    shown = {one.name: one.evidence for one in requirements(firmware, TARGET, RankingRules())}
    assert shown["latency"] == shown["initiation interval"] == "estimate"
    assert shown["LUT"] == "rtl"
    only_estimate = firmware.model_copy(
        update={"latency_cycles": NotMeasured(not_measured="no simulation")}
    )
    assert "latency rests on estimate" in " ".join(reasons(make_card(firmware=only_estimate)))


def test_a_resource_without_a_budget_may_be_unmeasured():
    target = TARGET.model_copy(update={"budget": Budget(lut=1_000_000)})
    challenge = make_challenge().model_copy(update={"target": target})
    firmware = make_firmware(target=target).model_copy(
        update={"dsp": NotMeasured(not_measured="not counted")}
    )
    assert reasons(make_card(challenge=challenge, firmware=firmware)) == ()
    strict = make_firmware().model_copy(update={"dsp": NotMeasured(not_measured="not counted")})
    assert "DSP was not measured" in " ".join(reasons(make_card(firmware=strict)))


def test_the_rules_decide_on_supervision_evidence_and_handed_in_reports():
    card = make_card()
    supervised = card.submission.model_copy(update={"is_supervised": True})
    assert "trained on the signals" in " ".join(
        reasons(card.model_copy(update={"submission": supervised}))
    )
    assert "rests on rtl" in " ".join(reasons(card, accepted_evidence=("post_route",)))
    handed_in = make_firmware().model_copy(update={"is_handed_in": True})
    assert "handed in" in " ".join(reasons(make_card(firmware=handed_in)))
    (reason,) = reasons(make_card(firmware=handed_in), accept_handed_in=True)
    assert "not compared with the submission in all: the design" in reason
    partly = handed_in.model_copy(update={"unchecked": ("its ports",)})
    (reason,) = reasons(make_card(firmware=partly), accept_handed_in=True)
    assert reason.endswith("its ports")
    checked = handed_in.model_copy(update={"unchecked": ()})
    assert reasons(make_card(firmware=checked), accept_handed_in=True) == ()


def test_resources_of_c_synthesis_rank_only_where_no_others_do():
    card = make_card(firmware=make_firmware(evidence="csynth"))

    (reason, *_) = reasons(card)
    assert "LUT rests on csynth; this contest accepts rtl, post_synth, post_route" in reason
    assert reasons(card, accepted_evidence=("csynth",)) == ()
    assert reasons(make_card(firmware=make_firmware(evidence="post_synth"))) == ()


def declaring(**said: object):
    card = make_card()
    return card.model_copy(update={"submission": card.submission.model_copy(update=said)})


@pytest.mark.parametrize(
    ("said", "ranks", "reason"),
    [
        ({}, ("unsupervised", "weak", "semi"), None),
        ({"learning": "weak"}, ("unsupervised", "weak", "semi"), None),
        ({"learning": "weak"}, ("unsupervised",), "declared as weakly supervised; this contest"),
        ({"learning": "unsupervised"}, ("unsupervised",), None),
        (
            {},
            ("unsupervised", "weak"),
            "not stated; this contest ranks unsupervised, weakly supervi",
        ),
        ({"is_supervised": True}, ("unsupervised",), "declared as trained on the signals"),
        ({"learning": "supervised"}, ("unsupervised",), "declared as trained on the signals"),
        ({"is_supervised": True}, ("supervised",), None),
        ({}, ("supervised",), "not stated"),
    ],
)
def test_the_rules_say_which_kinds_of_learning_are_ranked(said, ranks, reason):
    found = reasons(declaring(**said), learning=ranks)
    assert [reason in one for one in found] == [True] if reason else found == ()


def test_a_reference_method_is_shown_and_not_ranked_where_the_rules_say_so():
    vanilla = declaring(method="vanilla_autoencoder", learning="unsupervised")
    assert reasons(vanilla) == ()
    rule = {"reference_methods": ("vanilla_autoencoder",)}
    assert reasons(vanilla, **rule) == ("a reference of this contest, not ranked",)
    assert reasons(declaring(method="autoencoder"), **rule) == reasons(declaring(), **rule) == ()


def test_a_contest_may_ask_for_a_second_translator():
    def checked(*agreements: Agreement, notes: tuple[str, ...] = ()):
        update = {"agreements": agreements, "notes": notes}
        return make_card(firmware=make_firmware().model_copy(update=update))

    def seen(*, is_independent: bool, note: str = "") -> Agreement:
        return Agreement(
            witnesses=("da4ml's interpreter", SECOND_TRANSLATOR),
            n_events=9,
            n_different=0,
            is_independent=is_independent,
            note=note,
        )

    alone = checked(notes=(f"{NO_SECOND_TRANSLATOR}: hls4ml says KeyError: 'x'",))
    handed_on = checked(seen(is_independent=False, note="hls4ml hands q_sum to da4ml"))

    assert reasons(alone) == reasons(handed_on) == ()
    asked = {"require_second_translator": True}
    assert reasons(checked(seen(is_independent=True)), **asked) == ()
    assert reasons(alone, **asked) == (f"{NO_SECOND_TRANSLATOR}: hls4ml says KeyError: 'x'",)
    assert reasons(checked(), **asked) == (NO_SECOND_TRANSLATOR,)
    assert "hls4ml hands q_sum to da4ml" in reasons(handed_on, **asked)[0]


def test_witnesses_that_disagree_are_told():
    agreement = Agreement(
        witnesses=("HGQ2", "Verilog"), n_events=1000, n_different=1, is_independent=True
    )
    firmware = make_firmware().model_copy(update={"agreements": (agreement,)})
    assert "HGQ2 and Verilog disagree on 1 of 1,000" in " ".join(
        reasons(make_card(firmware=firmware))
    )


def test_another_part_is_not_ranked():
    target = TARGET.model_copy(update={"part": "xcku115"})
    assert "made for the part xcku115" in " ".join(
        reasons(make_card(firmware=make_firmware(target=target)))
    )


def test_a_signal_or_replicates_that_are_missing_are_told():
    card = make_card()
    assert "signal other was not scored" in " ".join(
        reasons(card, signal_weights={"h0": 1.0, "other": 1.0})
    )
    physics = card.firmware_physics.model_copy(update={"replicates": {}})
    assert "no bootstrap replicates" in " ".join(
        reasons(card.model_copy(update={"firmware_physics": physics}))
    )


def test_open_entries_follow_and_say_only_that():
    trigger = make_card("a", firmware=make_firmware(lut=1e6))
    shown = make_card("b", division="open", rates=dict.fromkeys(SIGNALS, 0.4))

    unranked = board([shown, trigger]).unranked

    assert [item.entry.card.submission.team for item in unranked] == ["a", "b"]
    assert len(unranked[1].reasons) == 1
