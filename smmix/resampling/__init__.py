"""What is drawn again."""
