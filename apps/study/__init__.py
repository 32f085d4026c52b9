"""What people think of pictures: a page that asks them, and a table of their answers."""
