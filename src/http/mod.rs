//! One HTTP request: canonical head, decision, record, forward, reply.
