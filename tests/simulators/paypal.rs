//! A simulator of this provider.
