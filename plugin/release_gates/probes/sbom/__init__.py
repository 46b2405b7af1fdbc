"""SBOM probe: what a candidate is made of (CycloneDX), and whether policy allows its licences."""
