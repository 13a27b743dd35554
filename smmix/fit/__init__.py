"""From options to modes."""
