#!/bin/sh
# rustc for cargo (RUSTC_WORKSPACE_WRAPPER): counts how often each edge of the engine is taken.
# Only the engine's and the server's own packages: everything else is compiled as usual, and shared
# with other suites.
case " $* " in
  *" --crate-name peer_group "* | *" --crate-name peer_group_signaling "*)
    exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    ;;
esac
exec "$@"
