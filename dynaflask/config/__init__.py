"""Configuration: reads ``app.config`` into settings and binds, and checks it once."""
