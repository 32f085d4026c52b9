"""What happens when something on the page is pressed."""
