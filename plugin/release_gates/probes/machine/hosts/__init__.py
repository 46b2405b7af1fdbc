"""Hosts: facts read in one batch over any transport, and the rules that a host has to keep."""
