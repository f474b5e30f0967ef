"""The code of the train-digits workflow: what its steps do. Of Segue it knows nothing but environment variables."""
