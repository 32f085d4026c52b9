"""Commands about heads: turned and drawn."""
