"""What `translate` is made of: the encoder and decoder, a translation memory, and pictures of attention."""
