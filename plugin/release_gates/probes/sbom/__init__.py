"""SBOM probe: what a candidate is made of (CycloneDX, SPDX), and whether policy allows its licences."""
