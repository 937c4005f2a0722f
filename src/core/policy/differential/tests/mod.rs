//! The ways against the meaning, and wrong ways against the comparison.

mod bundles;
mod evidence;

use super::*;
