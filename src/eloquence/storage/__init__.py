"""What is kept: content from YAML, sessions in SQLite, recordings as files, speech models."""
