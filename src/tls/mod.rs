//! mTLS: a connection enters, a [`Peer`](crate::tls) with a proven identity or a refusal leaves.
