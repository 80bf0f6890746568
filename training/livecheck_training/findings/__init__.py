"""Measures the findings of `details=true`, and chooses their limits."""
