"""Health and diagnosis."""
