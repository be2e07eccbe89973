"""Bodies of requests and responses, without the steps of botocore and PynamoDB that change nothing."""
