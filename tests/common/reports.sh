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

# Words of a kernel about faults that it injects (FAULTS= of tests/campaign/run): no memory for a caller, or for a tool that looks
# for faults, which then gives up. Any other report still counts.
of_faults='FAULT_INJECTION: forcing a failure|page allocation failure|vmalloc error|vmalloc: allocation failure|invoked oom-killer'
of_faults+='|Out of memory|VM_FAULT_OOM leaked out|kmemleak: (Cannot allocate|.*disabled)'

# not_allowed REGEX: of the log on stdin the lines that do not match. Of a warning of which one does, its trace goes, too; so does
# the rest of a report of lockdep, up to the end of its trace, unless the trace has a frame of the module. Where it allows that
# memory ran out, or a fault was injected, the trace of who asked goes.
not_allowed() {
	allowed=$1 awk 'BEGIN { allowed = ENVIRON["allowed"] }
		function flush_out(i) {
			if (splat && ours) hit = 0
			for (i = 0; i < n; i++) {
				if (line[i] ~ allowed && !(splat && ours)) continue
				if (hit && line[i] ~ (splat ? "WARNING: |suspicious RCU|locks? held by|Call Trace:" : "WARNING: CPU|Call Trace:")) continue
				print line[i]
			}
			n = hit = inside = splat = ours = traced = 0
		}
		{ before = this; this = $0 }
		/\[ cut here \]/ { flush_out(); inside = 1 }
		/WARNING: / && before ~ /==========$/ { flush_out(); inside = splat = 1 }
		splat && traced && !/ [A-Za-z0-9_.]+\+0x|<\/?(TASK|IRQ)>/ { flush_out() }
		splat && /Call Trace:/ { traced = 1 }
		splat && /\[abuse\]/ { ours = 1 }
		/invoked oom-killer|allocation failure|vmalloc error|FAULT_INJECTION: forcing/ && $0 ~ allowed { asked = 1 }
		/BUG: |WARNING: / { asked = 0 }
		asked && /Call Trace:/ { asked = 0; next }
		inside { line[n++] = $0; if ($0 ~ allowed) hit = 1; if (/end trace/) flush_out(); next }
		$0 !~ allowed
		END { flush_out() }'
}
