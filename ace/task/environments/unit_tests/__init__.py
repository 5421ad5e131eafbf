"""The `tests` environment: an answer is Python code, and a row's tests say what it must do."""
