import { COMPLETE, OR_FILES } from './completion.js';
import { EXIT, usageError, type CommandContext } from './main.js';
import { createParser, parseArgs } from './parser.js';
import type { SubcommandEntry } from './subcommands.js';
import { writeOut } from './write-out.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** The subcommand that prints what a shell reads to complete lines of these commands, which are one under several names. */
export function completionOf(...names: readonly [string, ...string[]]): SubcommandEntry {
  return {
    takes: '<shell>',
    describe: `a script by which ${SHELLS.join(', ')} complete lines`,
    load: async () => (context) => completion(names, context),
  };
}

async function completion(names: readonly [string, ...string[]], { argv }: CommandContext): Promise<number> {
  const [name] = names;
  const parser = createParser(`${name} completion`, '$0 <shell>', 'Prints a script by which a shell completes lines.')
    .positional('shell', { choices: SHELLS, demandOption: true, describe: 'who will read it' })
    .example(`source <($0 bash)`, 'in ~/.bashrc')
    .example(`source <($0 zsh)`, 'in ~/.zshrc, after compinit')
    .example(`$0 fish | source`, 'in ~/.config/fish/config.fish');
  const args = await parseArgs(parser, argv);
  if (args === null) return EXIT.ok;
  if (args.shell === undefined) throw usageError('no shell is named', `One of ${SHELLS.join(', ')}.`);
  await writeOut(completionScript(args.shell, names));
  return EXIT.ok;
}

/** The command that stands in the line is asked, so that it may be a path. */
function completionScript(shell: Shell, names: readonly [string, ...string[]]): string {
  const own = `_${names[0].replaceAll('-', '_')}`;
  switch (shell) {
    case 'bash':
      return `${own}() {
  local IFS=$'\\n' word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($("\${COMP_WORDS[0]}" ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  COMPREPLY=("\${COMPREPLY[@]%%$'\\t'*}")
  if [[ "\${COMPREPLY[0]}" == ${OR_FILES} ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=("\${COMPREPLY[@]:1}" $(compgen -f -- "$word"))
  fi
}
complete -o default -F ${own} ${names.join(' ')}
`;
    case 'zsh':
      return `${own}() {
  local line files=1
  local -a found
  for line in "\${(@f)$("$words[1]" ${COMPLETE} "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == ${OR_FILES} ]]; then
      files=2
    elif [[ -n $line ]]; then
      found+=("\${\${line//:/\\\\:}/$'\\t'/:}")
    fi
  done
  (( $#found )) && _describe -V word found
  if (( files > ($#found > 0) )); then
    [[ $PREFIX == --*=* ]] && compset -P '*='
    _files
  fi
}
compdef ${own} ${names.join(' ')}
`;
    case 'fish':
      return `function _${own}
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] ${COMPLETE} $words[2..-1] 2>/dev/null)
  string match -v -- ${OR_FILES} $found
  if test "$found[1]" = ${OR_FILES} -o (count $found) -eq 0
    set -l flag (string match -r -- '^--[^=]+=' (commandline -ct))
    set -l files (__fish_complete_path (string replace -r -- '^--[^=]+=' '' (commandline -ct)))
    string replace -r '^' -- "$flag" $files
  end
end
${names.map((name) => `complete -c ${name} -f -a '(_${own})'\n`).join('')}`;
  }
}
