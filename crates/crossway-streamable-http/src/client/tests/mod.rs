//! The client against scripted servers, over real sockets; over memory where time is paused.

mod ahead;
mod alias;
mod calls;
mod cancel;
mod faults;
mod http2;
mod listen;
mod modern;
mod peer;
mod pool;
mod probe;
mod proxy;
mod redirects;
mod resume;
mod session;
mod tls;
