# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Completion of abusectl for bash; all candidates come from "abusectl complete".

_abusectl()
{
	# shellcheck disable=SC2034
	local cur prev words cword line broken
	_init_completion -n =: || return

	COMPREPLY=()
	while IFS= read -r line; do
		if [[ $line == "@files "* ]]; then
			line=${line#@files }
			compopt -o filenames 2>/dev/null
			while IFS= read -r line; do
				COMPREPLY+=("$line")
			done < <(compgen -f -P "$line" -- "${cur#"$line"}")
		else
			COMPREPLY+=("${line%%$'\t'*}")
		fi
	done < <("$1" complete "${words[@]:1:cword}" 2>/dev/null)

	[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[=:,] ]] || compopt -o nospace 2>/dev/null
	# readline replaces only what follows the last character at which it breaks words.
	broken=${cur%"${cur##*["${COMP_WORDBREAKS//[!=:]/}"]}"}
	COMPREPLY=("${COMPREPLY[@]#"$broken"}")
} &&
complete -F _abusectl abusectl
