"""What heaptui does about memory: pure decisions here, and beside each what carries it out."""
