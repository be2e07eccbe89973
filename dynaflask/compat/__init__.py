"""The names of other extensions: change one import, and an app that was written for one of them runs."""
