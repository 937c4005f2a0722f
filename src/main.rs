//! Parses the command line, runs one command, prints an error's chain and sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    portreeve::commands::main()
}
