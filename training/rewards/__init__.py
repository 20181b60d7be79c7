"""Rewards: what an answer is worth, one function a term, composed as a preset says.

The terms are in `formats`, `geometry`, `masks` and `matching`; `compose` puts them together. Boxes and points are
compared in a canvas of 840 × 840, where the papers' limits in pixels hold, whatever frame the policy answers in.
"""
