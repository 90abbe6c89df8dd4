# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Words of a kernel that found a fault, in its log or on its console: one of these, and nothing of a
# boot without a fault. Sourced by who runs tests.
# shellcheck disable=SC2034
reports='KASAN:|KCSAN:|KFENCE:|UBSAN:|BUG:|BUG |WARNING:|Oops|ODEBUG|Call Trace:|kernel BUG|Kernel panic|general protection'
reports+='|nable to handle|refcount_t:|list_(add|del) corruption|possible (recursive|circular|irq lock|deadlock)'
reports+='|inconsistent lock state|suspicious RCU|lock(dep| debugging).*(off|disabled)|locks? (still )?held|bad unlock balance'
reports+='|DEBUG_LOCKS_WARN_ON|blocked for more than|soft lockup|hard LOCKUP|rcu.*(stalls|detected)|workqueue lockup'
reports+='|memory leak|kmemleak: .*disabled|leaked|sleeping function|scheduling while atomic|bad: scheduling'
reports+='|Bad page|Memory corruption'

# not_allowed REGEX: of the log on stdin the lines that do not match; of a warning of which one does, neither its trace.
not_allowed() {
	allowed=$1 awk 'BEGIN { allowed = ENVIRON["allowed"] }
		function flush_out(i) {
			for (i = 0; i < n; i++)
				if (line[i] !~ allowed && !(hit && line[i] ~ /WARNING: CPU|Call Trace:/)) print line[i]
			n = hit = inside = 0
		}
		/\[ cut here \]/ { flush_out(); inside = 1 }
		inside { line[n++] = $0; if ($0 ~ allowed) hit = 1; if (/end trace/) flush_out(); next }
		$0 !~ allowed
		END { flush_out() }'
}
