"""Networks that learn: recipes, batches, loops, and what comes out as files of a bundle."""
