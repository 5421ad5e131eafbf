"""The `tools` environment: an agent acts on a world by its tools, and what it leaves behind is judged."""
