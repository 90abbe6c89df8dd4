# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the manuals' examples: a user of the group abuse with sudo, and the printed text as this user
# types it. Sourced, never run.
# shellcheck source=tests/service/common.sh
. "$TESTS/service/common.sh"
command -v gcc >/dev/null || skip "no compiler here"

# A user with default limits, in a home of their own, and a sudo that asks nothing.
newcomer() {
	home=/home/newcomer
	useradd --create-home --shell /bin/bash --groups abuse newcomer
	on_exit userdel --remove newcomer
	on_exit pkill -KILL -u newcomer
	cat >"$work/sudo.c" <<-'END'
		#include <grp.h>
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>

		int main(int argc, char **argv)
		{
			if (argc < 2 || setgroups(0, NULL) || setgid(0) || setuid(0))
				return 125;
			if (strcmp(argv[1], "-u"))
				return execvp(argv[1], argv + 1), 126;
			setenv("POSIXLY_CORRECT", "1", 1);	/* what follows the user is the command */
			argv[0] = "runuser";
			return execvp(argv[0], argv), 126;
		}
	END
	gcc -o /usr/local/bin/sudo "$work/sudo.c"
	on_exit rm /usr/local/bin/sudo
	chmod 4755 /usr/local/bin/sudo
}

# typed LINES, typed_by_root LINES: a shell runs them; background processes go on.
typed() {
	printf '%s\n' "$1" >"$work/typed"
	chmod 755 "$work"
	(cd "$home" && timeout "$((60 * ${TIMEOUT_FACTOR:-1}))" setpriv --reuid=newcomer --regid=newcomer --init-groups --inh-caps=-all \
		env HOME="$home" USER=newcomer bash -eux "$work/typed")
}
typed_by_root() {
	(cd "$home" && timeout "$((60 * ${TIMEOUT_FACTOR:-1}))" bash -euxc "$1")
}

# blocks PAGE [SECTION]: each literal block there, or of all sections, as a reader sees it: a file in $work/blocks, named for
# its order; for a block that is a file, its name stands in the first line.
blocks() {
	rm -rf "$work/blocks"
	mkdir "$work/blocks"
	awk -v dir="$work/blocks" -v section="$2" '
		/^\.Sh / { on = !section || $0 == ".Sh " section }
		!on { next }
		/^\.Bd / { block = sprintf("%s/%02d", dir, ++n); print (file ? file : "-") >block; next }
		/^\.Ed/ { close(block); block = file = ""; next }
		block { gsub(/\\\(aq/, "\x27"); gsub(/\\\(dq/, "\""); gsub(/\\&/, ""); gsub(/\\-/, "-"); gsub(/\\e/, "\\"); print >block; next }
		/^\.Pa .* :$/ { file = $2 }
		/^\.Pp/ { file = "" }
		/^[^.]/ { file = "" }' "$TESTS/../man/$1"
	ok "$1 has examples" test -e "$work/blocks/01"
}
