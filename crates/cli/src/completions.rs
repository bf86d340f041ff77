//! Completions for shells.

use clap_complete::Shell;

pub(crate) const EXAMPLES: &str = "\
Examples:
  rollcall completions bash > ~/.local/share/bash-completion/completions/rollcall
  rollcall completions fish > ~/.config/fish/completions/rollcall.fish";

/// Generates the script that a shell loads.
pub(crate) fn generate(shell: Shell, mut program: clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "rollcall", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::test_cli::Cli;

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            assert!(generate(shell, Cli::command()).contains("attendance"), "{shell}");
        }
    }
}
