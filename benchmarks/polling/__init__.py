"""Ways to poll, played against drawn jobs: how many looks, and how late the end is seen."""
