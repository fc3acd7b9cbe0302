"""Files to fuzz with: valid ones, and what is done to them."""
