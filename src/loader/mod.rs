//! The child process that reads foreign bytes: fetches, parses and tries a candidate bundle.
