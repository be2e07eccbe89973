"""botocore with its slowest parts replaced."""
