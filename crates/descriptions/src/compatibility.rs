//! Compares the AsyncAPI document with that of the last release.
