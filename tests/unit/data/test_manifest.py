"""The manifest: what comes with the harness is whole, and a wrong one is told in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data.manifest import MANIFEST_VARIABLE, built_in_manifest, load_manifest
from harness.data.sample import read_members
from harness.errors import ExitCode, UsageError
from harness.files import MAX_DOCUMENT_BYTES

OWN = """
schema: 1
challenges:
  - name: {name}
    title: {title}
    version: "1"
    synthetic: false
    licence: private
    layout: {{objects: [{{name: met, n_slots: 1}}, {{name: jet, n_slots: 2}}]}}
    files:
      - {{name: b.h5, role: background, process: background, title: Background}}
      - {{name: s.h5, role: hidden, process: secret, title: Secret}}
    split: {{key: k, train: 0.5, validation: 0.1, test: 0.4}}
    seed: 1
    false_positive_rates: [1.0e-5, 1.0e-4]
    working_point: 1.0e-5
    target:
      {{part: x, clock_period_ns: 5, max_latency_ns: 1000, max_interval_ns: 25, budget: {{}}}}
"""


def own(path: Path, name: str = "own", title: str = "Own") -> Path:
    path.write_text(OWN.format(name=name, title=title), "utf-8")
    return path


class TestBuiltIn:
    def test_the_challenges_are_there(self) -> None:
        assert load_manifest().names == (
            "sample", "cmsl1t-sample", "lhco-sample", "hlt-suep-sample",
            "adc2021", "adc2021-v1", "cmsl1t",
            "jets-toptag-sample", "jets-anomaly-sample", "jets-inverse-sample", "jets-toptag",
            "lhco",
        )  # fmt: skip

    def test_cmsl1t_counts_as_many_events_as_its_publisher(self) -> None:
        # The publisher's own totals: 20,887,636 zero-bias events and 2,000,000 simulated ones.
        files = load_manifest().challenge("cmsl1t").files
        counts = {
            role: sum(file.n_events or 0 for file in files if file.role == role)
            for role in ("background", "variation")
        }
        assert counts == {"background": 20_887_636, "variation": 2_000_000}

    def test_the_olympics_take_both_processes_out_of_one_file(self) -> None:
        challenge = load_manifest().challenge("lhco")
        background, signal = (one for one in challenge.files if one.role != "blackbox")
        assert background.name == signal.name
        assert (background.label, signal.label) == (0, 1)
        assert challenge.contamination is not None
        # 1,000 signal events in a million of background.
        assert challenge.contamination.s_over_b == {"wprime": 1e-3}
        assert challenge.columns is not None
        assert challenge.columns.n_values == 2100

    def test_cmsl1t_is_in_the_codes_of_the_trigger(self) -> None:
        challenge = load_manifest().challenge("cmsl1t")
        assert challenge.layout.shape == (50, 3)
        assert challenge.source is not None
        units = {group.name: group.units for group in challenge.layout.objects}
        # The all-ones code of 9, 11 and 12 bits, of half a GeV each: 256, 1,024 and 2,048 GeV.
        ranges = {"muon": 9, "egamma": 9, "tau": 9, "jet": 11, "met": 12, "fet": 12}
        removed = challenge.source.reading.remove_saturated
        assert {kind: 2**bits - 1 for kind, bits in ranges.items()} == removed
        turns = {kind: units[kind]["phi"].turn for kind in ("muon", "jet", "tau", "met")}
        assert turns == {"muon": 576, "jet": 144, "tau": 144, "met": 144}

    def test_cmsl1t_ranks_with_146_events(self) -> None:
        challenge = load_manifest().challenge("cmsl1t")
        files = [file for file in challenge.files if file.role == "background"]
        n_test = sum(file.part_events["test"] or 0 for file in files)
        assert int(challenge.working_point * (n_test + 1)) == 146

    @pytest.mark.parametrize("name", ["sample", "adc2021", "adc2021-v1"])
    def test_every_challenge_has_one_background_and_four_signals_of_adc2021s_layout(
        self, name: str
    ) -> None:
        challenge = load_manifest().challenge(name)
        assert challenge.processes("background") == ("background",)
        assert challenge.signals == ("ato4l", "lq", "h0", "hplus")
        assert challenge.layout.shape == (19, 3)
        assert challenge.working_point == 1e-5

    def test_the_budget_is_a_third_of_a_vu9p(self) -> None:
        # LUT 1,182,240, FF 2,364,480, DSP 6,840, BRAM18 4,320.
        fpgas = [challenge.fpga for challenge in load_manifest().challenges]
        for fpga in filter(None, fpgas):
            budget = fpga.budget
            assert (budget.lut, budget.ff) == (394_080, 788_160)
            assert (budget.dsp, budget.bram18) == (2_280, 1_440)

    def test_no_checksum_stands_for_files_whose_checksum_was_never_seen(self) -> None:
        for name in ("adc2021", "adc2021-v1"):
            assert all(file.checksum is None for file in load_manifest().challenge(name).files)

    def test_the_sample_gives_k_of_ten(self) -> None:
        challenge = load_manifest().challenge("sample")
        n_background = challenge.files[0].n_events
        assert n_background is not None
        assert challenge.split.test * n_background * 1e-5 >= 10
        assert challenge.synthetic

    def test_the_sample_file_holds_what_the_manifest_says(self) -> None:
        challenge = load_manifest().challenge("sample")
        path = Path(built_in_manifest().parent, "harness/data/files/sample.events")
        assert path.stat().st_size <= 30_000_000
        held = {m.process: (m.checksum, m.n_events) for m in read_members(path, challenge.layout)}
        assert held == {file.process: (file.checksum, file.n_events) for file in challenge.files}

    def test_another_one_can_be_stated(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(MANIFEST_VARIABLE, str(own(tmp_path / "own.yaml")))
        assert load_manifest().names == ("own",)


class TestOwn:
    def test_it_is_added(self, tmp_path: Path) -> None:
        manifest = load_manifest(own(tmp_path / "own.yaml"))
        assert manifest.names == (*load_manifest().names, "own")
        assert manifest.challenge("own").signals == ("secret",)
        assert manifest.challenge("own").layout.shape == (3, 3)

    def test_it_takes_the_place_of_one_with_its_name(self, tmp_path: Path) -> None:
        first = own(tmp_path / "1.yaml", "adc2021", "First")
        second = own(tmp_path / "2.yaml", "adc2021", "Second")
        manifest = load_manifest(first, None, second)
        assert manifest.challenge("adc2021").title == "Second"
        assert manifest.names == load_manifest().names

    def test_an_unknown_name_is_answered_with_a_guess(self) -> None:
        with pytest.raises(UsageError, match="did you mean adc2021") as caught:
            load_manifest().challenge("adc2012")
        assert caught.value.exit_code == ExitCode.USAGE

    def test_all_that_is_wrong_is_told_at_once_with_its_place(self, tmp_path: Path) -> None:
        text = OWN.format(name="OWN", title="t").replace("test: 0.4", "test: 0.5")
        text = text.replace("seed: 1", "sed: 1").replace("role: hidden", "role: secret")
        path = tmp_path / "own.yaml"
        path.write_text(text, "utf-8")
        missing = tmp_path / "missing.yaml"
        with pytest.raises(UsageError) as caught:
            load_manifest(path, missing)
        told = str(caught.value)
        for place in (
            f"{path}: challenges[0].name: 'OWN'",
            f"{path}: challenges[0].split",
            "is 1.1, not 1",
            f"{path}: challenges[0].sed: unknown field",
            f"{path}: challenges[0].seed: missing field",
            f"{path}: challenges[0].files[1].role: 'secret'",
            f"{missing}: not readable: No such file",
        ):
            assert place in told
        assert caught.value.exit_code == ExitCode.USAGE

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", "holds nothing"),
            ("- 1\n- 2\n", "holds a list"),
            ("schema: 1\nchallenges: [", "line 2"),
            ("a: &x [1]\nb: *x\n", "anchors and aliases are not allowed"),
            ("schema: 1\nschema: 1\n", "'schema' is given twice"),
            ("a: {b: 1, c: {d: 1, d: 2}}\n", "'d' is given twice"),
            ("a: " + "[" * 40 + "]" * 40, "nested more than 32 deep"),
            ("a: 2021-02-30\n", "not readable"),
            ("a: " + "1" * 5000 + "\n", "not readable"),
            ("!!python/object/apply:os.system [true]\n", "could not determine a constructor"),
            ("schema: 1\nchallenges: []\n", "challenges"),
            ("schema: 2\nchallenges: []\n", "schema"),
            ("\t- x", "line 1"),
        ],
    )
    def test_documents_that_are_no_manifest(self, tmp_path: Path, text: str, expected: str) -> None:
        path = tmp_path / "own.yaml"
        path.write_text(text, "utf-8")
        with pytest.raises(UsageError, match=str(path)) as caught:
            load_manifest(path)
        assert expected in str(caught.value)

    def test_an_alias_bomb_is_refused_before_it_grows(self, tmp_path: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
        path = tmp_path / "bomb.yaml"
        path.write_text("\n".join(lines), "utf-8")
        with pytest.raises(UsageError, match="anchors and aliases"):
            load_manifest(path)

    def test_a_huge_file_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.yaml"
        path.write_bytes(b"#" * (MAX_DOCUMENT_BYTES + 1))
        with pytest.raises(UsageError, match="larger than 1,048,576 bytes"):
            load_manifest(path)

    def test_a_file_that_is_not_utf8_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.yaml"
        path.write_bytes("title: h\xe9\n".encode("latin-1"))
        with pytest.raises(UsageError, match="not UTF-8 at byte 8"):
            load_manifest(path)

    def test_a_folder_is_no_manifest(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="Is a directory"):
            load_manifest(tmp_path)

    def test_two_challenges_of_one_name_in_one_file_are_refused(self, tmp_path: Path) -> None:
        text = OWN.format(name="own", title="t")
        body = text.partition("challenges:\n")[2]
        path = tmp_path / "own.yaml"
        path.write_text(text + body, "utf-8")
        with pytest.raises(UsageError, match="two challenges are named own"):
            load_manifest(path)
