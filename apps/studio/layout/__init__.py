"""What the page shows: its tabs, its sliders, its look."""
