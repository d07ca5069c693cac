"""A folder of results held against a published reference: what agrees, and what differs."""
