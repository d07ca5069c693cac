"""Commands that measure times; nothing in ntkflow imports them."""
