"""Events with two fat jets, as those of the LHC Olympics: all particles that a detector sees."""
