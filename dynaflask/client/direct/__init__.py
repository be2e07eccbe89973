"""The data-plane operations on HTTP connections of their own."""
