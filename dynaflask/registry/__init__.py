"""What an app owns, and what one of its contexts holds."""
