"""What tests of the background process share: an event loop without Qt, a launcher, a busy worker."""
