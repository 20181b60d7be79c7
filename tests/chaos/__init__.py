"""Real processes under real faults: what was acknowledged is there afterwards. ``python -m tests.chaos`` runs all."""
