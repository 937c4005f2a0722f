//! What servers do to a path before they choose what to serve, each as one step.

pub(super) fn decoded_once(path: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), path.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let byte = match tail {
            [high, low, ..] if *first == b'%' => hex(high).zip(hex(low)),
            _ => None,
        };
        out.push(byte.map_or(*first, |(high, low)| high << 4 | low));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    out
}

pub(super) fn with_slashes(path: Vec<u8>) -> Vec<u8> {
    path.into_iter().map(|b| if b == b'\\' { b'/' } else { b }).collect()
}

pub(super) fn merged(path: Vec<u8>) -> Vec<u8> {
    let mut path = path;
    path.dedup_by(|b, a| *a == b'/' && *b == b'/');
    path
}

pub(super) fn without_parameters(path: Vec<u8>) -> Vec<u8> {
    let segments = path
        .split(|b| *b == b'/')
        .map(|segment| segment.split(|b| *b == b';').next().unwrap_or_default());
    segments.collect::<Vec<_>>().join(&b'/')
}

pub(super) fn resolved(path: Vec<u8>) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|b| *b == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                if is_last {
                    kept.push(b"");
                }
            }
            name => kept.push(name),
        }
    }
    [b"/", &*kept.join(&b'/')].concat()
}

/// Whole servers: which steps they take, and in which order.
pub(super) fn all(path: &str) -> [Vec<u8>; 8] {
    let raw = path.as_bytes().to_vec();
    let decoded = decoded_once(path);
    [
        raw.clone(),
        decoded.clone(),
        resolved(raw.clone()),
        resolved(merged(decoded.clone())),
        merged(resolved(decoded.clone())),
        resolved(merged(with_slashes(decoded))),
        merged(with_slashes(raw.clone())),
        resolved(merged(decoded_once(&String::from_utf8(resolved(raw)).unwrap()))),
    ]
}

/// Those that cut path parameters off, before and after decoding.
pub(super) fn all_without_parameters(path: &str) -> [Vec<u8>; 2] {
    let raw = without_parameters(path.as_bytes().to_vec());
    let before = decoded_once(&String::from_utf8(raw).unwrap());
    let after = without_parameters(decoded_once(path));
    [resolved(merged(before)), resolved(merged(after))]
}
