"""What the dashboards are made of."""
