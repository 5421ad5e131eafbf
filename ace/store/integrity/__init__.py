"""What vouches for a file: checksums, verification, backup, redaction, forgetting."""
