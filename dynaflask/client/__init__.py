"""The client: from a bind to bytes. The only package that knows botocore's internals."""
