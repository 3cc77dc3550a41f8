"""Where logs are kept, each a plug behind the ports."""
