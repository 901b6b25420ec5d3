"""One page that shows published against measured, and what each run is made of."""
