"""Configuration: ``app.config`` becomes binds and settings, checked once."""
