"""Moving pictures: timelines, frames, MP4, GIF and WebP."""
