//! What is refused before a parser sees it, and what is let through on a small stack.

use super::*;

/// A quarter of what serving and loading threads have.
const SMALL_STACK: usize = 2 << 20;

fn when(condition: &str) -> String {
    format!("permit(principal, action in Action::\"http\", resource) when {{\n{condition}\n}};")
}
