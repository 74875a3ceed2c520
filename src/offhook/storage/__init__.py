"""Where things are kept: tables declared once, statements written once."""
