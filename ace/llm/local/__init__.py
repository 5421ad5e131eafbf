"""An open-weights model on this machine: its weights, its server, its slots."""
