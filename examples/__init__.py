"""Programs that show dynaflask at work."""
