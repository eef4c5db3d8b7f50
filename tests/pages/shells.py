"""Real shells on a terminal of their own: a line is typed, the shell is asked for all completions, and what it made of the line read."""
import os
import pty
import select

PATIENCE = 120  # seconds until a shell that says nothing counts as broken

# M-* and C-xa insert all completions; C-xp prints the line and empties it. No mark is echoed as it is typed.
BASH = r'''PS1= PS2=; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source '{script}'
bind -x '"\C-xp": printf "<GOT%sGOT>" "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0'; printf 'READY%s' '>'
'''
ZSH = r'''PS1= PS2=; unsetopt beep; fpath=('{folder}' $fpath); autoload -Uz compinit; compinit -u -D
say() {{ print -rn "<GOT${{BUFFER}}GOT>"; BUFFER=; }}; zle -N say; bindkey '^Xp' say
zle -C all-matches complete-word _generic; bindkey '^Xa' all-matches
zstyle ':completion:all-matches:*' insert true; zstyle ':completion:all-matches:*' completer _all_matches _complete
print -n 'READY''>'
'''


class Shell:
    def __init__(self, argv, setup, key, env):
        self.key = key
        self.seen = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        os.write(self.terminal, setup.encode())
        self.until(b"READY>")

    def until(self, mark):
        """What came before `mark`."""
        while mark not in self.seen:
            if not select.select([self.terminal], [], [], PATIENCE)[0]:
                raise TimeoutError(repr(self.seen[-2000:]))
            self.seen += os.read(self.terminal, 65536)
        found, self.seen = self.seen.split(mark, 1)
        return found

    def complete(self, line):
        """The line with all that the shell offers for its end."""
        os.write(self.terminal, (line + self.key).encode())
        self.until(b"<GOT")
        return self.until(b"GOT>").decode()

    def close(self):
        os.close(self.terminal)  # hangs up
        os.waitpid(self.pid, 0)


def bash(script, env):
    return Shell(["bash", "--norc", "--noprofile", "-i"], BASH.format(script=script), "\x1b*\x18p", env)


def zsh(folder, env):
    return Shell(["zsh", "-f", "-i"], ZSH.format(folder=folder), "\x18a\x18p", env)
