//! The registry of live connections: a slot per connection, registered before its first request.
