//! Suites that need more than one package.
