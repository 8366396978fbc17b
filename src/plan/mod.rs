//! Plans: what to do, in which order, as data that prints.
