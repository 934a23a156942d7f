# For the scripts beside it, which have set $repository and $folder: runs commands of README as a user would, in a folder that is both a
# user's with a clone in it (libnnn/...) and the top of the repository (examples/...).

# The library, built unless it is named.
name_library() {
    if [ -z "${NNN_LIBRARY:-}" ]; then
        cargo build --release -p nnn-capi --manifest-path "$repository/Cargo.toml"
        NNN_LIBRARY=${CARGO_TARGET_DIR:-$repository/target}/release/libnnn.so
    fi
    PYTHONDONTWRITEBYTECODE=1
    export NNN_LIBRARY PYTHONDONTWRITEBYTECODE
    ln -sfn "$repository" "$folder/libnnn"
    ln -sfn "$repository/examples" "$folder/examples"
}

# run_block FILE WORD: the one block of commands with that word in it.
run_block() {
    script=$(awk -v word="$2" '
        /^```/ && on { if (index(text, word)) { printf "%s", text; found++ } on = 0; next }
        /^```sh$/ { on = 1; text = ""; next }
        on { text = text $0 "\n" }
        END { exit found != 1 }' "$1") || { echo "$1: not one block of commands with $2" >&2; return 1; }
    echo "==== $1" && sh -euc "$script"
}
