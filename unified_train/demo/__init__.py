"""The whole job in one go: the same photographs, prompts and seeds at several vendors, and what came of them."""
