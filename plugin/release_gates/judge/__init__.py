"""Pure judgement: limits, worst-of, ``decide()``. Clock, files and environment come in as arguments."""
