"""Latest values, and which client receives which of them."""
