"""Bullets, documents and memories found for a question."""
