"""The pytest side: which environment is decided, the ``gate`` fixture, recording, the verdict."""
