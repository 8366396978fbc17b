//! After a failure: facts, the causes that they prove, and what to do.
