"""What proves the claims about speed and accuracy: ``make accuracy-<family>``."""
