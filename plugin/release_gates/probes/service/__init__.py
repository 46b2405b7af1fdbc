"""The probe that runs a candidate's binary as a service on a free loopback port, and talks to it."""
