"""How the maximum is found."""
