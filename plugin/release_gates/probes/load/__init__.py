"""Load: drive a target from a process of its own, record exactly, and judge the generator first."""
