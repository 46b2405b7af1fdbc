"""The parts of `make accuracy-load`: the drivers, the judgement, and how soon a run ends."""
