#!/bin/sh
# Compiles filter.bpf.c to the file that is named, as it is committed. What it makes depends on clang's version alone.
set -e
cd "$(dirname "$0")"
"${CLANG:-clang}" -O2 -g -target bpfel -mcpu=v3 -Wall -Wextra -Werror -fdebug-compilation-dir=. -c filter.bpf.c -o "$1"
"${LLVM_STRIP:-llvm-strip}" -g "$1"
