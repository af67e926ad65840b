"""What `merprep bench` measures: accuracy and speed, in one run on one machine."""
