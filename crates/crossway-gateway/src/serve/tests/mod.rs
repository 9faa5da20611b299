//! The whole of what is served, in this process and in virtual time: nothing that one tenant has, holds or does changes a byte
//! that another gets, and what is listed is what can be called.

mod rig;
mod setup;
mod trace;
mod world;

mod listed;
mod metrics;
mod named;
mod noninterference;
mod pooled;
mod rotated;
mod spelled;
