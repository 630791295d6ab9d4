"""Attacks on what DESIGN's invariants promise, at a scale that tests do not have: `make torture`.

A :class:`~tests.torture.campaign.Campaign` attacks in one way and counts what went wrong; each is a module in
``campaigns/`` that exports ``CAMPAIGN`` and stands in the list there. `make test` runs a small share of each.
"""
