"""Operations: finished calls to DynamoDB, and how an app counts and limits them."""
