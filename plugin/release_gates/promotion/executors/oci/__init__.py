"""The executor ``oci``: an image goes by digest into the environment's repository, and a tag follows last."""
