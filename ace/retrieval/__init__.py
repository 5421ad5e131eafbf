"""Retrieval: bullets, documents and memories that bear on a question."""
