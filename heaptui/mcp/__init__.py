"""The file tools for agents that speak the Model Context Protocol, over stdin and stdout."""
