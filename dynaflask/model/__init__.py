"""``Model``: PynamoDB's model, which answers for the current app."""
