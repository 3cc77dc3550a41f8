"""What sentiment and intent are made of and measured on: word lists, sentences, the trainer."""
