"""Tables beyond memory."""
