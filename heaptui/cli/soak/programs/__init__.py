"""The workers of the soak. Each writes down what it does in a file of its own, outside everything
that heaptui keeps, so that its work can be counted without believing anybody."""
