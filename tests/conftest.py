"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine takes its time: neither a single example nor the drawing of examples has a limit of
# its own beside that of the whole test.
settings.register_profile(
    "harness", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("harness")
