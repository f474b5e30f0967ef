"""The manual of the definition language: every key and code with its meaning, as data.

The JSON Schema for editors, the reference page and the order of keys in written definitions come from here. Nothing
here judges a definition.
"""
