//! On which lines the elements of a JSON array stand: `serde_json` does not say.

/// The line (from 1) of the first byte of each element of the outermost array.
///
/// The text is known to be JSON; of any other text the answer means nothing but is still bounded by
/// its length.
#[must_use]
pub fn element_lines(text: &str) -> Vec<u32> {
    let mut lines = Vec::new();
    let mut line = 1_u32;
    let mut depth = 0_usize;
    let (mut in_string, mut is_escaped, mut is_awaited) = (false, false, false);
    for byte in text.bytes() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        let closes = matches!(byte, b']' | b'}');
        if is_awaited && !byte.is_ascii_whitespace() {
            is_awaited = false;
            if !closes {
                lines.push(line);
            }
        }
        match byte {
            b'\n' => line = line.saturating_add(1),
            b'"' => in_string = true,
            b'[' | b'{' => {
                is_awaited = depth == 0;
                depth = depth.saturating_add(1);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => is_awaited = depth == 1,
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_found_on_its_line() {
        let text = "[\n  {\"a\": \"x,[\\\"\\\\\", \"b\": [1,\n 2]},\n\n {\n}, 3,\n\"s\"\n]";
        assert_eq!(element_lines(text), [2, 5, 6, 7]);
        assert!(element_lines("[ ]").is_empty());
        assert_eq!(element_lines("[1]"), [1]);
    }
}
