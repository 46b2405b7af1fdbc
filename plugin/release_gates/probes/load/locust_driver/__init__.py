"""The locust driver: a team's own locustfile, in a process of its own; samples are recorded by us."""
