"""What Segue keeps: objects (outputs, logs, bundles) and the metadata database people search."""
