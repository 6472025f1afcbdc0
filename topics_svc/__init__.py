"""Twitter-LDA: text in, topic distribution out."""
