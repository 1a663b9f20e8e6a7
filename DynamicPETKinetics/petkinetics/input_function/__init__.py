"""From an aorta region or a measured curve to an input function, and blood corrections."""
