"""What a call to DynamoDB was, and what an app does with it."""
