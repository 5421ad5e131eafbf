"""The `ace` command. The only place that prints, and that turns errors into exit codes."""
