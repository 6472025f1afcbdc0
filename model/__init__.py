"""The time-aware attention LSTM: numbers in, ranking out."""
