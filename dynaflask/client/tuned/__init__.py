"""botocore with parts replaced."""
