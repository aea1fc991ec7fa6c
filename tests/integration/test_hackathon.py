"""A whole hackathon: every output against a ranking of our own."""

from __future__ import annotations

import pytest

from harness.ci import intake, ledger, queue, rescore, session
from tests.hackathon import play
from tests.quick_harness import NO_PAGES_VARIABLE, VERSION_VARIABLE, become_quick, version

pytestmark = pytest.mark.whole


@pytest.mark.timeout(900)
def test_a_whole_hackathon_is_ranked_as_its_rules_say(tmp_path, monkeypatch):
    # Put back at the end, as what follows changes them.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VERSION_VARIABLE, str(version()))
    monkeypatch.setenv(NO_PAGES_VARIABLE, "1")
    monkeypatch.setattr(session, "write_site", session.write_site)
    monkeypatch.setattr(intake, "ScoringSettings", intake.ScoringSettings)
    for module in (ledger, queue, rescore):
        monkeypatch.setattr(module, "SCORER_VERSION", module.SCORER_VERSION)
    become_quick()
    play(tmp_path)
