"""What is practised, with whom, and how it is judged. Pure: no input, output, clock or framework."""
