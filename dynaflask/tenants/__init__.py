"""The tenants of an app: what a tenant is, and how an app finds the current one."""
