"""Integrity of a playbook file: seals, verification, backup, redaction, forgetting."""
