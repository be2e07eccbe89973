"""What a view returns: pages, cursors, error responses and JSON."""
