//! A legacy client's session as modern requests.
