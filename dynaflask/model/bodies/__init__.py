"""Bodies: JSON that a client sends, as items and as updates of a model. The JSON schema comes from the same fields."""
