//! Hand-written histories.
