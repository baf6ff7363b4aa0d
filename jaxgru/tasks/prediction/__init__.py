"""What `video` is made of: a model of the next frame, measures of pictures, what it draws and writes."""
