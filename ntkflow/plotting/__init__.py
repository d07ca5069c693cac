"""Style and helpers that figures share."""
