#!/usr/bin/env bash
# Flash and stack of the library: what README's table says, with the ceilings that CI holds it to.
#
#   footprint.sh LIBNNN_A               libnnn.a of thumbv7em-none-eabihf at opt-level s, or of x86-64
#
# Sizes are those of what the linker keeps for the named functions: the library's own code and constants; beside it, the compiler's
# routines (double arithmetic, memcpy), which a firmware often has anyway. Stack is measured (ffi-tests/footprint/stack.c), on
# Cortex-M4F in QEMU; FIRMWARE names the folder with the camera's gallery.h and link.ld.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
archive=$1
readonly repository archive
# Of int8 search, bias and merge on Cortex-M4F.
readonly text_ceiling=8192 stack_ceiling=512
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
note() { printf 'note: %s\n' "$*"; }
refuse() { note "$*"; status=1; }

# (Through a file: `grep -q` closes a pipe early, which would fail the command before it.)
arm-none-eabi-objdump -f "$archive" >"$work/format" 2>/dev/null || true
if grep -q elf32-littlearm "$work/format"; then
    tools=arm-none-eabi- machine='Cortex-M4F, opt-level s'
else
    tools='' machine='x86-64, opt-level 3'
fi

# linked NAME FUNCTION...: what the linker keeps for the functions, in NAME.o.
linked() {
    local name=$1 function flags=()
    shift
    for function in "$@"; do flags+=(-u "$function"); done
    "${tools}ld" -r --gc-sections "${flags[@]}" -o "$work/$name.o" "$archive"
    "${tools}objcopy" --remove-section .llvmbc --remove-section .llvmcmd "$work/$name.o"
}

# sizes TITLE FUNCTION...: one line, and in $own the bytes of the library's own.
sizes() {
    local title=$1 runtime text data bss
    shift
    linked sizes "$@"
    read -r text data bss _ < <("${tools}size" "$work/sizes.o" | tail -n 1)
    runtime=$("${tools}nm" -S -C "$work/sizes.o" |
        awk '$3 ~ /^[tTwWrR]$/ && $4 ~ /^(compiler_builtins|__aeabi|mem|bcmp)/ && !seen[$1, $4]++ { print $2 }' |
        { total=0; while read -r hex; do total=$((total + 16#$hex)); done; echo "$total"; })
    own=$((text - runtime))
    printf '| %s | %d | %d | %d | %d |\n' "$title" "$own" "$runtime" "$data" "$bss"
    ((data == 0)) || refuse "$title: $data bytes of initialised data"
    ((bss <= 1)) || refuse "$title: $bss bytes of other data than the one cached byte"
}

printf '%s\n\n| functions | own flash | routines of the compiler | .data | .bss |\n|---|---|---|---|---|\n' "$machine"
sizes 'int8 search' nnn_search_i8
sizes 'int8 search, bias, merge of hits' nnn_search_i8 nnn_bias_i8 nnn_hits_merge
if [[ -n $tools ]]; then
    note "int8 search, bias and merge: $own bytes of .text and .rodata (at most $text_ceiling)"
    ((own <= text_ceiling)) || refuse "above the ceiling"
fi
sizes 'and normalise, quantise, neighbour table' nnn_search_i8 nnn_bias_i8 nnn_hits_merge nnn_normalize_f32 nnn_quantize_i8 \
    nnn_neighbors_init nnn_neighbors_update_i8 nnn_neighbors_merge nnn_neighbors_bias
mapfile -t exports <"$repository/ffi-tests/exports.txt"
sizes 'everything' "${exports[@]}"
# No panic may be reachable in a build for size either, where the optimiser proves less.
linked everything "${exports[@]}"
! "${tools}nm" -u "$work/everything.o" | grep nnn_a_panic_is_reachable || refuse "a panic is reachable"

stack=$work/stack
flags=(-std=gnu99 -O2 -Wall -Wextra -Werror -ffunction-sections "-I$repository/include" "-I$FIRMWARE")
if [[ -n $tools ]]; then
    arm-none-eabi-gcc -mthumb -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16 "${flags[@]}" -nostartfiles --specs=rdimon.specs \
        -T "$FIRMWARE/link.ld" -Wl,--gc-sections -Wl,--no-warn-execstack -Wl,--no-warn-rwx-segments \
        "$repository"/examples/camera/startup.c "$repository"/ffi-tests/footprint/stack.c "$archive" -lm -o "$stack"
    run=(timeout 120 qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none
        -semihosting-config "enable=on,target=native" -kernel "$stack")
else
    gcc "${flags[@]}" -mno-red-zone "$repository/ffi-tests/footprint/stack.c" "$archive" -o "$stack"
    run=("$stack")
fi
"${run[@]}" >"$work/calls"
printf '\n| call | stack |\n|---|---|\n'
# The deepest of a function's calls.
awk '{ if (!($1 in most)) order[++n] = $1; if ($2 > most[$1]) most[$1] = $2 }
    END { for (i = 1; i <= n; i++) print order[i], most[order[i]] }' "$work/calls" | while read -r call bytes; do
    printf '| `%s` | %d |\n' "$call" "$bytes"
    case $call in
        nnn_search_i8 | nnn_bias_i8 | nnn_hits_merge) ;;
        *) continue ;;
    esac
    [[ -z $tools ]] || ((bytes <= stack_ceiling)) || { note "$call takes $bytes bytes of stack (at most $stack_ceiling)"; touch "$work/deep"; }
done
[[ ! -e $work/deep ]] || status=1
exit "$status"
