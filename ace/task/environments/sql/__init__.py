"""The `sql` environment: answers that are one SELECT over read-only databases."""
