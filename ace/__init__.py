"""ace: an agent that gets better at its work by evolving its context instead of its weights."""
