# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the models: spin, the states and moves of module/states.h as Promela, a verification that
# visits every state, and one that must find a fault. Sourced, never run.
#
# A model is tests/model/NAME.pml; its head says what it proves, what it leaves out and how it is configured. A new one
# includes states.pml and makes each move of a request with MOVE(from, to).
# shellcheck source=tests/common/test.sh
. "${TESTS:=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}/common/test.sh"
"$TESTS/vm/need" spin:spin gcc:gcc /usr/include/stdio.h:libc6-dev || skip "spin cannot be had here"

work=$(mktemp -d)
on_exit rm -rf "$work"

# states_of HEADER: prints states.pml: the names of the states, IS_LEGAL(), STARTS_GENERATION(), MOVE().
states_of() {
	local name
	{
		cat <<-'END'
			#include <stdio.h>
			#include "states.h"

			static const char *const names[ABUSE_NR_STATES] = {
		END
		sed -n '/^enum abuse_slot_state/,/^}/s/^\t\(ABUSE_[A-Z_]*\),.*/\1/p' "$1" | grep -v '^ABUSE_NR_STATES$' |
			while read -r name; do
				echo "[$name] = \"$name\","
			done
		cat <<-'END'
			};

			static void print(const char *name, int (*is)(enum abuse_slot_state, enum abuse_slot_state))
			{
				printf("#define %s(from, to) (false", name);
				for (int from = 0; from < ABUSE_NR_STATES; from++)
					for (int to = 0; to < ABUSE_NR_STATES; to++)
						if (abuse_move_is_legal(from, to) && is(from, to))
							printf(" || (from == %s && to == %s)", names[from], names[to]);
				printf(")\n");
			}

			int main(void)
			{
				for (int i = 0; i < ABUSE_NR_STATES; i++)
					printf("#define %s %d\n", names[i], i);
				print("IS_LEGAL", abuse_move_is_legal);
				print("STARTS_GENERATION", abuse_move_starts_generation);
				/* Which moves a verification made; hidden: no part of a state. */
				printf("hidden byte made[%d];\n", ABUSE_NR_STATES * ABUSE_NR_STATES);
				printf("#define MOVE(from, to) d_step { assert(IS_LEGAL((from), (to))); made[(from) * %d + (to)] = 1 }\n",
				       ABUSE_NR_STATES);
				printf("c_decl {\n\\#include <stdlib.h>\n}\nc_code {\nstatic void tell(void)\n{\n");
				for (int from = 0; from < ABUSE_NR_STATES; from++)
					for (int to = 0; to < ABUSE_NR_STATES; to++)
						if (abuse_move_is_legal(from, to))
							printf("if (made[%d]) printf(\"move %s %s\\n\");\n",
							       from * ABUSE_NR_STATES + to, names[from], names[to]);
				printf("}\n__attribute__((constructor)) static void tell_at_exit(void) { atexit(tell); }\n}\n");
				return 0;
			}
		END
	} >"$work/states.c"
	gcc -Wall -I "${1%/*}" "$work/states.c" -o "$work/states" && "$work/states"
}
states_of "$TESTS/../module/states.h" >"$work/states.pml"

# search FLAG MODEL DEFINITION...: visits the states of a model, as far as the first fault; log in $work/log. 8 GiB are
# the most; a search that was cut short has failed. FLAG is the compiler's: what it optimizes takes longer than a short
# search.
search() {
	local flag=$1 model=$2 definitions=() definition
	shift 2
	for definition; do
		definitions+=("-D$definition")
	done
	(
		cd "$work"
		cp "$TESTS/model/$model.pml" .
		spin "${definitions[@]}" -a "$model.pml" >log 2>&1
		gcc "$flag" -w -DSAFETY -DMEMLIM=8192 pan.c -o pan >>log 2>&1
		./pan -b -m200000 -w24 >log 2>&1
	) || { tail -n 20 "$work/log"; return 1; }
	! grep -E 'max search depth|MEMLIM|out of memory|interrupted' "$work/log"
}

# holds DESCRIPTION MODEL DEFINITION...: no interleaving breaks the model.
holds() {
	local description=$1
	shift
	search -O1 "$@" || fail "$description: the search of '$*' was cut short"
	grep -q 'errors: 0$' "$work/log" || fail "$description: '$*': $(grep -m 1 '^pan:1: ' "$work/log")"
	pass "$description: $(awk '/ states, stored/ { print $1; exit }' "$work/log") states, $(awk '/total actual memory/ { print int($1) }' "$work/log") MiB ($*)"
}

# finds PATTERN DESCRIPTION MODEL DEFINITION...: some interleaving does, at an assertion that has PATTERN in it.
finds() {
	local pattern=$1 description=$2
	shift 2
	search -O0 "$@" || fail "$description: the search of '$*' was cut short"
	grep -qE "^pan:1: .*($pattern)" "$work/log" || fail "$description: not found in '$*': $(grep -E '^pan:1: |errors: ' "$work/log")"
	pass "$description: found after $(awk '/ states, stored/ { print $1; exit }' "$work/log") states ($*)"
}

# The words of the assertion that a fault of this kind breaks.
# shellcheck disable=SC2034
stranded='nr_backlog' lost='sleeping'
