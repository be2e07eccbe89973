"""The way to DynamoDB, and all that knows botocore and PynamoDB's connections."""
