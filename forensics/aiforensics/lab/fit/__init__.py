"""From labelled pictures to a bundle: the two kinds of recipe, and what is fitted on top of a network."""
