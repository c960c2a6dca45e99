//! Values to YAML text.
