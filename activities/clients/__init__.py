"""What operators run in a process of their own (`activities.helper`): modules with a `main(folder) -> exit code`.

They reach their process by this package alone, which is not called `activities` there: nothing else of the service is
loaded. So they import the standard library, their library, and each other by relative names.
"""
