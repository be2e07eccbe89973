"""One module for each library that it serves."""
