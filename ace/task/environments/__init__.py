"""Environments that score an attempt: by its answer, by SQL, or with a function of your own."""
