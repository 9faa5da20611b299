//! What is known of one upstream: discovery and lists, answered from memory.
