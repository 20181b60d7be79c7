"""Procedural scenes with typed questions, hops and exact masks: data to prove and to test training on."""
