"""How events reach the nodes that show them, each a plug behind the ports."""
