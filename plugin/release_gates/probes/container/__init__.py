"""The probe that inspects images and running containers: facts in one pass, then pure rules."""
