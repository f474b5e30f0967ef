"""Worker processes, and the embedded stack of `segue dev` that starts one of everything on one machine."""
