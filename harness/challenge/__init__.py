"""What a challenge is: its events, split, working points, target and rules.

These are the values of `data_manifest.yaml`. Nothing else in the harness knows how many objects
an event holds or which signals there are.
"""

from __future__ import annotations

from harness.challenge.choices import FirmwareChoices
from harness.challenge.columns import TableColumns
from harness.challenge.declared import (
    LEARNING_TITLES,
    NOT_SUPERVISED,
    Learning,
    Method,
    SignalsSeen,
)
from harness.challenge.definition import Challenge, Condition, Preselection
from harness.challenge.files import DataFile, Piece, join_checksums
from harness.challenge.layout import (
    ADC2021_BYTES,
    ConstituentLayout,
    EventLayout,
    FeatureUnits,
    ImageLayout,
    ObjectGroup,
    events_within,
    in_turn,
)
from harness.challenge.mass import MASS, BumpHunt, MassObservable, SmoothFit
from harness.challenge.merit import (
    AGGREGATE_TITLES,
    MERIT_KINDS,
    AddedEfficiencyAtRate,
    Aggregate,
    AreaUnderCurve,
    EfficiencyAtRate,
    MaxSic,
    Merit,
    MistagAtTpr,
    RejectionAtTpr,
    TprAtFpr,
    fpr_text,
    input_rate_khz,
    point_text,
    without_last_digits,
)
from harness.challenge.mixture import Contamination
from harness.challenge.rules import (
    EVIDENCE_LADDER,
    Account,
    Evidence,
    IntakeRules,
    RankingRules,
    weakest,
)
from harness.challenge.source import FormatName, ReadingRules, Source
from harness.challenge.split import SPLITMIX_STEP, Split, digest_of_key, mix64
from harness.challenge.target import (
    RESOURCE_TITLES,
    AnyTarget,
    Budget,
    CpuTarget,
    Family,
    NoTarget,
    PartTotals,
    StatedTarget,
    Target,
)
from harness.challenge.values import (
    NAME_PATTERN,
    PARTS,
    Fraction,
    Name,
    Part,
    Positive,
    Utc,
    Value,
    instant,
    is_name,
    utc,
)

__all__ = [
    "ADC2021_BYTES",
    "AGGREGATE_TITLES",
    "EVIDENCE_LADDER",
    "LEARNING_TITLES",
    "MASS",
    "MERIT_KINDS",
    "NAME_PATTERN",
    "NOT_SUPERVISED",
    "PARTS",
    "RESOURCE_TITLES",
    "SPLITMIX_STEP",
    "Account",
    "AddedEfficiencyAtRate",
    "Aggregate",
    "AnyTarget",
    "AreaUnderCurve",
    "Budget",
    "BumpHunt",
    "Challenge",
    "Condition",
    "ConstituentLayout",
    "Contamination",
    "CpuTarget",
    "DataFile",
    "EfficiencyAtRate",
    "EventLayout",
    "Evidence",
    "Family",
    "FeatureUnits",
    "FirmwareChoices",
    "FormatName",
    "Fraction",
    "ImageLayout",
    "IntakeRules",
    "Learning",
    "MassObservable",
    "MaxSic",
    "Merit",
    "Method",
    "MistagAtTpr",
    "Name",
    "NoTarget",
    "ObjectGroup",
    "Part",
    "PartTotals",
    "Piece",
    "Positive",
    "Preselection",
    "RankingRules",
    "ReadingRules",
    "RejectionAtTpr",
    "SignalsSeen",
    "SmoothFit",
    "Source",
    "Split",
    "StatedTarget",
    "TableColumns",
    "Target",
    "TprAtFpr",
    "Utc",
    "Value",
    "digest_of_key",
    "events_within",
    "fpr_text",
    "in_turn",
    "input_rate_khz",
    "instant",
    "is_name",
    "join_checksums",
    "mix64",
    "point_text",
    "utc",
    "weakest",
    "without_last_digits",
]
