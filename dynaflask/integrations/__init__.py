"""Integrations: one module or package for each library. Each imports its library and names the extra to install."""
