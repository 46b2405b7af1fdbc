"""Probes: one package per family of measurements; each reads the world and never judges it."""
