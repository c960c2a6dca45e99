//! Against small servers on loopback.
