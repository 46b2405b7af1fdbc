"""Schemas of what the gates write; generated reports go elsewhere."""
