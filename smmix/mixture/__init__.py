"""What is fitted, without a fit."""
