"""What is known of the machine that measures."""
