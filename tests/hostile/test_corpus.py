"""No attack of the corpus gets through, and each works where its guard is off."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.hostile.attacks  # noqa: F401 fills the table
from harness.sandbox import Sandbox
from tests.hostile.attack import ATTACKS, Attack
from tests.hostile.attempt import control_is_skipped, try_control, try_guarded
from tests.hostile.world import World

CONTROLLED = [attack for attack in ATTACKS.values() if not control_is_skipped(attack)]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=lambda attack: attack.name)
def test_the_guard_stops_the_attack(
    attack: Attack, sandbox: Sandbox, world: World, tmp_path: Path
) -> None:
    verdict = try_guarded(attack, sandbox, world, tmp_path)

    assert not verdict.got_through, f"{attack.claim}: {verdict.detail}"


@pytest.mark.parametrize("attack", CONTROLLED, ids=lambda attack: attack.name)
def test_the_attack_works_without_the_guard(
    attack: Attack, sandbox: Sandbox, world: World, tmp_path: Path
) -> None:
    works = try_control(attack, sandbox, world, tmp_path)
    world.end_survivors()

    assert works, f"{attack.name} shows nothing: it fails with the guard off, too"


def test_the_corpus_is_large_and_covers_every_kind() -> None:
    assert len(ATTACKS) >= 50
    assert len({attack.claim for attack in ATTACKS.values()}) >= 30
