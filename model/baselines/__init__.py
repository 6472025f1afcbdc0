"""What the model is compared with; rivals.py lists them, apart so that a worker need not load them all."""
