# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# Completion of abusectl for fish; all candidates come from "abusectl complete".

function __abusectl_candidates
    set -l words (commandline -opc) (commandline -ct)
    for line in (abusectl complete $words[2..-1] 2>/dev/null)
        if string match -q '@files *' -- $line
            set -l prefix (string replace '@files ' '' -- $line)
            for path in (__fish_complete_path (string replace -- "$prefix" '' $words[-1]))
                echo $prefix$path
            end
        else
            echo $line
        end
    end
end

complete -c abusectl -f -a '(__abusectl_candidates)'
