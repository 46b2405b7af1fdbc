"""Planted defects: known-bad candidates and hosts on which each gate has to go red."""
