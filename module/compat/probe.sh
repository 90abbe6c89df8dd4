#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 the abuse authors
# probe.sh OUT DIR CC [FLAG]...: writes to OUT, a header, which of the interfaces in DIR the kernel at
# hand has. CC and FLAGs are the kernel's own. Each DIR/NAME.c is the body of a function that compiles
# only where the interface is there; its answer is ABUSE_HAVE_NAME, 0 or 1.
#
# All of them are one source in one run of the compiler, and an answer is 0 if an error was
# reported in that body. Two bodies are known in advance and prove that this works: control_pass
# and control_fail. The compiler reports an undeclared function once for all bodies, when it is
# called: so bodies that share one take its address instead.
set -eu
LC_ALL=C
export LC_ALL
out=$1
dir=$2
shift 2

log=$out.log
mkdir -p "${out%/*}"
rm -f "$out"

fail() {
	echo "$out: $*" >&2
	echo "The compiler said:" >&2
	cat "$log" >&2
	exit 1
}

bodies() {
	cat "$dir/includes.h"
	awk '
		BEGIN { end = "#line 1 \"probe-end\"\n}" }
		FNR == 1 {
			if (NR > 1)
				print end
			name = FILENAME
			sub(/.*\//, "", name)
			sub(/\.c$/, "", name)
			print "void probe_" name "(void);\nvoid probe_" name "(void)\n{"
			print "#line 1 \"probe-" name "\""
		}
		{ print }
		END { print end }
	' "$dir"/*.c
}

# Errors must be reported where a macro is used, not where it is defined: clang does so by itself.
case $(echo __clang__ | "$@" -E -P -x c - 2>/dev/null) in
*__clang__*)	all="-fmax-errors=0 -ftrack-macro-expansion=0" ;;
*)		all="-ferror-limit=0" ;;
esac

# The body of control_fail makes every run fail, so the status says nothing.
# shellcheck disable=SC2086
bodies | "$@" -Wno-error -Werror=incompatible-pointer-types -Werror=implicit-function-declaration \
	-Werror=int-conversion -fdiagnostics-color=never $all -fsyntax-only -x c - >"$log" 2>&1 || :

failed=" $(sed -n 's/^probe-\([a-z0-9_]*\):[0-9:]* \(fatal \)\{0,1\}error: .*/\1/p' "$log" | sort -u | tr '\n' ' ')"
has() {
	case $failed in
	*" $1 "*)	return 1 ;;
	esac
}

! grep -q -e 'fatal error:' -e 'internal compiler error' "$log" ||
	fail "the kernel's headers could not be probed: the compiler gave up"
has control_pass || fail "the kernel's headers could not be probed: even what every kernel has fails"
! has control_fail || fail "the kernel's headers could not be probed: the compiler did not refuse what no kernel has"
! grep ': error: ' "$log" | grep -q -v '^probe-' ||
	fail "the kernel's headers could not be probed: errors outside of the probes"

{
	echo "/* Made by probe.sh: what this kernel has. */"
	for file in "$dir"/*.c; do
		name=${file##*/}
		name=${name%.c}
		case $name in
		control_*) continue ;;
		esac
		if has "$name"; then answer=1; else answer=0; fi
		echo "$name $answer"
	done | awk '{ print "#define ABUSE_HAVE_" toupper($1), $2 }'
} >"$out.tmp"
mv "$out.tmp" "$out"
rm -f "$log"
