"""What checkov says of infrastructure as code: a program with an environment of its own, never imported."""
