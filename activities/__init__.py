"""What workers do: the operators that run steps, and the control queue's reading and recording of runs."""
