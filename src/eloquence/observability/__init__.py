"""Where logs go, and what they never hold."""
