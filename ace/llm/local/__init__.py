"""Open-weights models on this machine: their weights, their server, its slots."""
