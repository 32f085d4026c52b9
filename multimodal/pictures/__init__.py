"""What lies behind the door for pictures: kinds of file, depths, colours."""
