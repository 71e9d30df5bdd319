"""How a project comes about: the steps, the gate of each, the score, and the skeletons to begin with."""
