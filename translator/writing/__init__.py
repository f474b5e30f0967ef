"""Writes definitions: from what one spelling says to the text of another, comments included.

The text compiles to the plan of what was read; whoever calls a writer checks that by comparing hashes. Reads no file.
"""

from translator.writing.python_text import write_python
from translator.writing.source import Source, document_source, yaml_source
from translator.writing.yaml_text import write_yaml

__all__ = ["Source", "document_source", "write_python", "write_yaml", "yaml_source"]
