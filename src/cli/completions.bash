# Completes what the function of clap finds: of a word that is no option only values and
# commands. If there are none, bash completes files.
_restow_word() {
    local word=$2 before=$3 found
    # bash splits `--to=oci` at the equals sign.
    if [[ ${word} == = ]] ; then
        word=""
    elif [[ ${before} == = ]] ; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    _restow "$1" "${word}" "${before}"
    if [[ ${word} != -* ]] ; then
        found=("${COMPREPLY[@]}")
        COMPREPLY=()
        for word in "${found[@]}" ; do
            [[ ${word} == -* ]] || COMPREPLY+=("${word}")
        done
    fi
}

