"""Letters counted, in a package of two modules."""
