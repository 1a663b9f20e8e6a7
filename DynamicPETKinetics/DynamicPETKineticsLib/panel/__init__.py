"""What people see: the four steps of the panel. The only room that imports qt."""
