"""Results that are too large to be answered, and what is shown of them."""
