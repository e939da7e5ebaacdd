//! tcpauth
