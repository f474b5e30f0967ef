"""The services that the train-digits workflow calls over REST: data sets, training records, model registry.

They stand for what a company has already. One small program plays all three, with the standard library alone, and
keeps its state in files that survive `kill -9`. Start it with `python -m services --data DIR --port N`.
"""
