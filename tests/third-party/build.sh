# To be sourced: builds the programs and says in `$target` where they lie. It is built as the tests are,
# so that after them nothing is built again; cargo puts the library beside the host in other builds only.
root=$(CDPATH='' cd -- "$here/../.." && pwd)
cargo test --quiet --locked --workspace --no-run --manifest-path "$root/Cargo.toml"
target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug
cp "$target/deps/libsalesforce_plugin.so" "$target/"
