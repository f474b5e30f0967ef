"""What a plan would do, before it does anything: nothing here runs a step, and nothing asks a service."""
