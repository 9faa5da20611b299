//! What keeps one upstream from harming the others, and its calls from being made twice.
