"""Segue: what users import to write workflows, and to run them. The standard library alone; see `segue[cli]`."""
