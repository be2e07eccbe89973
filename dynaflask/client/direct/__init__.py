"""The data-plane operations on the package's own HTTP/1.1 connections."""
