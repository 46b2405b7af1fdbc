"""What carries a candidate into an environment: one executor for each kind of place."""
