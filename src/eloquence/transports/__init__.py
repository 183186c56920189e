"""How audio and events travel between a person and the one pipeline."""
