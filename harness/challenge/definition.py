"""A challenge: its events, split, working points, targets and rules in one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict, JsonValue

from harness.challenge.columns import TableColumns
from harness.challenge.files import DataFile
from harness.challenge.layout import AnyLayout, ConstituentLayout
from harness.challenge.mass import MASS, MassObservable
from harness.challenge.merit import AddedEfficiencyAtRate, EfficiencyAtRate, Merit, input_rate_khz
from harness.challenge.mixture import Contamination
from harness.challenge.rules import IntakeRules, RankingRules
from harness.challenge.source import Source
from harness.challenge.split import Split
from harness.challenge.target import AnyTarget, StatedTarget, Target
from harness.challenge.values import Column, Name, Positive, Value, ascending

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rates = Annotated[tuple[Positive, ...], AfterValidator(ascending)]


class Preselection(Value):
    """What every event of a data set passed before it was written.

    Attributes
    ----------
    leading : tuple of str
        Kinds of object of which one must reach `leading_pt_gev`.
    object_pt_gev : mapping of object to float
        Least pT of each object of the kind; softer ones are not in the events.
    """

    leading: tuple[Name, ...] = Field(min_length=1)
    leading_pt_gev: Positive
    object_pt_gev: dict[Name, Positive] = Field(default_factory=dict)


class Condition(Value):
    """Under what background was recorded, such as the run or the pile-up: rates are shown by it.

    Attributes
    ----------
    column : str
        The dataset beside the events of background that holds one number for each of them.
    edges : tuple of float
        Of bins, [lower, upper); the outermost ones also hold what is beyond. Without edges each
        value, such as the number of a run, is a bin of its own.
    """

    name: Name
    title: str = Field(min_length=1, max_length=40)
    unit: str = Field(default="", max_length=16)
    column: Column
    edges: Annotated[tuple[float, ...], AfterValidator(ascending)] = Field(
        default=(), max_length=101, exclude_if=lambda edges: not edges
    )

    @field_validator("edges")
    @classmethod
    def _has_a_bin(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if len(edges) == 1:
            raise ValueError("one edge makes no bin: two at least, or none")
        return edges

    def bins_of(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the bin of each value, from 0; `edges` are there."""
        import numpy as np

        return np.searchsorted(np.asarray(self.edges[1:-1]), values, "right").astype(np.int64)

    @property
    def bin_labels(self) -> tuple[str, ...]:
        """How the bins between `edges` are called."""
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return tuple(f"{low:.6g} to {high:.6g}" for low, high in pairs)


def _with_rates(schema: JsonDict) -> None:
    """Say in the JSON Schema that `rates_khz` may stand in place of two fields."""
    points: list[JsonValue] = ["false_positive_rates", "working_point"]
    required = schema["required"]
    assert isinstance(required, list)
    schema["required"] = [name for name in required if name not in points]
    schema["anyOf"] = [{"required": points}, {"required": ["rates_khz"]}]


class Challenge(Value):
    """One version of one data set with the rules of scoring on it.

    Attributes
    ----------
    source : Source or None
        Where all data sets lie, in a format with a reader of its own; None: HDF5 files, each with
        an address of its own.
    columns : TableColumns or None
        Of files that are tables of pandas: what their columns hold.
    merit : Merit or None
        What is ranked, of each signal; None: the TPR at `working_point`.
    menu : str or None
        The dataset beside the events that says which of them the menu of the trigger accepts.
    targets : tuple of StatedTarget
        What an entry is judged on; one is the gate. A manifest with one target may write `target`.
    algorithms : str or None
        The dataset beside the events with the decision of each single algorithm of the menu.
    rates_khz : list of float
        In the manifest, in place of `false_positive_rates` and `working_point`: the working points
        as rates, of which the merit's is the one that ranks.
    conditions : tuple of Condition
        By which the rate of an entry is shown: runs, pile-up.
    mass : MassObservable or None
        The mass of an event, in whose spectrum a cut on the score should make no bump.
    training_signals : bool
        Whether signals may have a training part, which `harness.data.training_events` gives.
    contamination : Contamination or None
        Of a challenge of weak learning: the signal in what `training_events` gives. It needs
        `training_signals`.
    private : str
        What everybody sees before a private challenge is opened. ``public_parts``: the cards
        without hidden signals. ``until_open``: nothing.
    """

    model_config = ConfigDict(json_schema_extra=_with_rates)

    name: Name
    title: str = Field(min_length=1, max_length=120)
    version: str = Field(min_length=1, max_length=40)
    description: str = Field(default="", max_length=2000)
    synthetic: bool
    licence: str = Field(min_length=1, max_length=80)
    private: Literal["public_parts", "until_open"] = "public_parts"
    references: tuple[str, ...] = ()
    layout: AnyLayout
    preselection: Preselection | None = None
    source: Source | None = Field(default=None, exclude_if=lambda source: source is None)
    columns: TableColumns | None = Field(default=None, exclude_if=lambda columns: columns is None)
    files: tuple[DataFile, ...] = Field(min_length=1)
    split: Split
    seed: int = Field(ge=0, lt=2**63)
    false_positive_rates: Rates
    working_point: Positive
    # Stands in the manifest in place of the two.
    only_rates: Rates | None = Field(default=None, validation_alias="rates_khz", exclude=True)
    merit: Merit | None = None
    menu: Column | None = None
    algorithms: Column | None = Field(default=None, exclude_if=lambda column: column is None)
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=16, exclude_if=lambda stated: not stated
    )
    mass: MassObservable | None = Field(default=None, exclude_if=lambda stated: stated is None)
    training_signals: bool = Field(default=False, exclude_if=lambda is_so: not is_so)
    contamination: Contamination | None = Field(
        default=None, exclude_if=lambda stated: stated is None
    )
    collision_rate_hz: Positive = 40e6
    targets: tuple[StatedTarget, ...] = Field(default=(), validate_default=True)
    # Stands in the manifest where there is one target; it becomes the first of `targets`.
    only_target: AnyTarget | None = Field(default=None, validation_alias="target", exclude=True)
    ranking: RankingRules = Field(default_factory=RankingRules)
    intake: IntakeRules = Field(default_factory=IntakeRules)

    @model_validator(mode="before")
    @classmethod
    def _reads_one_target(cls, value: object) -> object:
        """Read `target`, the one gate of most challenges, as a list of targets."""
        if not isinstance(value, dict) or value.get("target") is None:
            return value
        if "targets" in value:
            raise ValueError("it has both target and targets")
        others = {name: one for name, one in value.items() if name != "target"}
        return {**others, "targets": [value["target"]]}

    @model_validator(mode="before")
    @classmethod
    def _reads_rates(cls, value: object) -> object:
        """Read `rates_khz`, the working points as rates, as false positive rates."""
        if not isinstance(value, dict) or value.get("rates_khz") is None:
            return value
        if both := {"false_positive_rates", "working_point"} & value.keys():
            raise ValueError(f"it has both rates_khz and {min(both)}")
        others = {name: one for name, one in value.items() if name != "rates_khz"}
        try:
            merit = TypeAdapter(Merit | None).validate_python(value.get("merit"))
        except ValidationError:
            # Its own field says what is wrong with it, and nothing else does.
            return {**others, "false_positive_rates": [0.5], "working_point": 0.5}
        if not isinstance(merit, EfficiencyAtRate | AddedEfficiencyAtRate):
            raise ValueError("rates_khz needs a merit with input_rate_khz")  # noqa: TRY004
        try:
            rates = TypeAdapter(Rates).validate_python(value["rates_khz"])
        except ValidationError as error:
            raise ValueError("rates_khz: rates in kHz above 0, rising, as [0.1, 1]") from error
        if merit.rate_khz not in rates:
            raise ValueError(f"the merit's rate_khz {merit.rate_khz:g} is not among rates_khz")
        points = [rate / merit.input_rate_khz for rate in rates]
        return {**others, "false_positive_rates": points, "working_point": merit.fpr}

    @field_validator("targets")
    @classmethod
    def _has_one_gate(cls, targets: tuple[StatedTarget, ...]) -> tuple[StatedTarget, ...]:
        if not targets:
            raise ValueError("one target at least; `kind: none` is one")
        names = [target.name for target in targets]
        if len(set(names)) != len(names):
            raise ValueError(f"two targets are named {max(names, key=names.count)}")
        if len(targets) == 1:
            return (targets[0].model_copy(update={"gate": True}),)
        gates = [target.name for target in targets if target.gate]
        if len(gates) != 1:
            found = " and ".join(gates) or "none"
            raise ValueError(f"one target is the gate (gate: true), here {found}")
        return targets

    @model_validator(mode="after")
    def _is_consistent(self) -> Challenge:
        names = [(source.name, source.label) for file in self.files for source in file.sources]
        processes = [file.process for file in self.files]
        if len(set(names)) != len(names) or len(set(processes)) != len(processes):
            raise ValueError("two files share a name or a process")
        if not any(file.role == "background" for file in self.files):
            raise ValueError("no file has the role background")
        known = {None, *self.processes("background"), *self.signals}
        if strangers := [file for file in self.files if file.variation_of not in known]:
            raise ValueError(
                f"{strangers[0].process}: variation_of names no process that is scored"
            )
        if self.working_point not in self.false_positive_rates:
            raise ValueError("working_point is not among false_positive_rates")
        if (fpr := getattr(self.merit, "fpr", self.working_point)) != self.working_point:
            raise ValueError(f"merit is at FPR {fpr:g}, working_point is {self.working_point:g}")
        self._check_beside()
        self._check_source()
        self._check_columns()
        self._check_contamination()
        self._check_parts()
        if self.preselection is not None:
            named = {*self.preselection.leading, *self.preselection.object_pt_gev}
            if unknown := named - set(self.layout.slots):
                raise ValueError(f"preselection names {', '.join(sorted(unknown))}")
            if lacking := self.layout.lacks("pt"):
                raise ValueError(f"preselection is by pT; {lacking}")
        return self

    @property
    def target(self) -> AnyTarget:
        """The limits that an entry must keep to be ranked: those of the gate."""
        return next(target.limits for target in self.targets if target.gate)

    @property
    def other_targets(self) -> tuple[StatedTarget, ...]:
        """Targets against which an entry is judged as well."""
        return tuple(target for target in self.targets if not target.gate)

    @property
    def fpga(self) -> Target | None:
        """The FPGA that firmware is made for: the gate, or else the first of the targets."""
        limits = (self.target, *(target.limits for target in self.other_targets))
        return next((one for one in limits if isinstance(one, Target)), None)

    def _check_source(self) -> None:
        """Refuse data sets without a source, files beside one, and rules for unknown objects."""
        with_parts = [file.name for file in self.files if file.part_events]
        unknown_place = [file.name for file in self.files if file.part_events and file.url is None]
        if self.source is None and unknown_place:
            raise ValueError(f"{unknown_place[0]} has part_events, but there is no source")
        if self.source is None:
            if with_parts and self.split.kind != "published":
                raise ValueError(f"{with_parts[0]} has parts: the split is published")
            return
        without = [file.name for file in self.files if not file.part_events]
        if without:
            raise ValueError(f"{without[0]} is a data set of the source: it needs part_events")
        if self.split.kind != "published":
            raise ValueError("data sets of a source have parts: the split is published")
        if unknown := self.source.reading.kinds - set(self.layout.slots):
            raise ValueError(f"source.reading names {', '.join(sorted(unknown))}")
        if lacking := self.layout.lacks("pt") if self.source.reading.kinds else None:
            raise ValueError(f"source.reading is by pT; {lacking}")

    def _check_columns(self) -> None:
        """Refuse labels without the column that says them, and columns of no constituents."""
        sources = [source for file in self.files for source in file.sources]
        labelled = [source for source in sources if source.label is not None]
        if labelled and (self.columns is None or self.columns.label is None):
            raise ValueError(f"{labelled[0].name} has a label, but no columns.label says it")
        names = {source.name for source in labelled}
        if both := [one.name for one in sources if one.label is None and one.name in names]:
            raise ValueError(f"{both[0]} is named once with a label and once without")
        if self.columns is None:
            return
        if self.source is not None:
            raise ValueError("columns belong to files, not to the data sets of a source")
        if self.layout.kind != "constituents" or self.layout.features != ("pt", "eta", "phi"):
            raise ValueError("columns need a layout of constituents with pt, eta and phi")
        if self.layout.n_objects > self.columns.n_constituents:
            held = self.columns.n_constituents
            raise ValueError(f"the layout has more constituents than columns, which have {held:,}")

    def _check_contamination(self) -> None:
        """Refuse a mixture of signals that have no events to train on, or without background."""
        if self.contamination is None:
            return
        if not self.training_signals:
            raise ValueError("contamination mixes signals into training: training_signals: true")
        if unknown := set(self.contamination.s_over_b) - set(self.processes("signal")):
            raise ValueError(f"contamination names {min(unknown)}, which is no signal")
        if self.split.kind == "hashed" and not self.split.train:
            raise ValueError("contamination: no background is in the training part")

    @property
    def shared_out(self) -> frozenset[str]:
        """Processes whose events a hashed split shares out; of all others every event is tested."""
        mixed = () if self.contamination is None else self.contamination.s_over_b
        return frozenset({*self.processes("background"), *mixed})

    def _check_beside(self) -> None:
        """Refuse what needs a dataset beside the events that is not named."""
        if isinstance(self.merit, AddedEfficiencyAtRate) and self.menu is None:
            raise ValueError(
                "merit added_efficiency_at_rate needs menu: the dataset of the files that says "
                "which events the menu of the trigger accepts"
            )
        if self.algorithms is not None and self.menu is None:
            raise ValueError("algorithms needs menu: the decision of all of them together")
        names = [condition.name for condition in self.conditions]
        if len(set(names)) != len(names):
            raise ValueError(f"two conditions are named {max(names, key=names.count)}")
        if self.mass is not None:
            self._check_mass(self.mass)

    def _check_mass(self, mass: MassObservable) -> None:
        """Refuse a mass that the events do not have, or a hunt for signals that are none."""
        if mass.kind == "column":
            if MASS in {condition.name for condition in self.conditions}:
                raise ValueError(f"a condition is named {MASS}, as the challenge's mass is")
        elif not isinstance(self.layout, ConstituentLayout):
            raise ValueError(f"a mass of the kind {mass.kind} needs a layout of constituents")
        elif lacking := self.layout.lacks("pt", "eta", "phi"):
            raise ValueError(f"a mass of the kind {mass.kind} is made of these: {lacking}")
        injected = mass.hunt.injected if mass.hunt is not None else {}
        if unknown := set(injected) - set(self.signals):
            raise ValueError(
                f"mass.hunt injects {min(unknown)}, which is no signal with test events"
            )

    def _check_parts(self) -> None:
        """Refuse files whose parts do not fit the split."""
        split = self.split
        sources = [source for file in self.files for source in file.sources]
        if self.source is not None or all(file.part_events for file in self.files):
            self._check_data_sets()
            return
        stated = [source for source in sources if source.part is not None]
        if split.kind == "hashed" and stated:
            raise ValueError(f"{stated[0].name} has a part, but the split is hashed")
        if split.kind == "hashed":
            return
        background = [source for source in sources if source.role == "background"]
        without = [source.name for source in background if source.part is None]
        if split.index is None and without:
            raise ValueError(f"split published: {without[0]} has no part and the split no index")
        if not without and all(source.part != "test" for source in background):
            raise ValueError("split published: no background file has the part test")
        of_signals = [source for source in stated if source.role in {"signal", "hidden"}]
        training = [source.process for source in of_signals if source.part != "test"]
        if training and not self.training_signals:
            raise ValueError(
                f"{training[0]} is a signal's training part in an unsupervised challenge; "
                "`training_signals: true` allows it"
            )

    def _check_data_sets(self) -> None:
        """Refuse data sets whose parts do not fit an unsupervised contest."""
        background = [file for file in self.files if file.role == "background"]
        if all("test" not in file.stated_parts for file in background):
            raise ValueError("no background data set has the part test")
        for file in self.files:
            others = sorted(file.stated_parts - {"test"})
            if file.role in {"signal", "hidden"} and others and not self.training_signals:
                raise ValueError(
                    f"{file.process} is a signal with the part {others[0]} in an unsupervised "
                    "challenge; `training_signals: true` allows it"
                )

    def processes(self, *roles: str) -> tuple[str, ...]:
        """Names of the processes whose files have one of `roles`, in the manifest's order."""
        return tuple(file.process for file in self.files if file.role in roles)

    @property
    def crossing_rate_hz(self) -> float | None:
        """Collisions that the trigger sees; None where nothing says that the events are these.

        The 40 MHz of the LHC stand for events of objects with pT alone, and not where the merit
        states the rate of the events itself.
        """
        is_stated = "collision_rate_hz" in self.model_fields_set
        if not is_stated and input_rate_khz(self.merit) is not None:
            return None
        is_collision = self.layout.kind == "objects" and not self.layout.lacks("pt")
        return self.collision_rate_hz if is_stated or is_collision else None

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the scored signals; training parts are none."""
        return tuple(
            file.process
            for file in self.files
            if file.role in {"signal", "hidden"} and "test" in file.stated_parts
        )
