"""The process around a script. Nothing here changes a result, so no rule depends on it."""
