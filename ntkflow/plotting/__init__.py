"""Style and helpers that figures share."""

from ntkflow.extras import require

require("workflow", "matplotlib")
