"""The append-only, hash-chained record of runs, verdicts and promotions, and the evidence files beside it."""
