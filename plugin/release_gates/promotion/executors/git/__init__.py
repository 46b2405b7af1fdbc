"""The executor ``git``: a file on a branch says what is live, and every change of it is a commit."""
