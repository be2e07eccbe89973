"""The commands of ``flask dynamo``."""
