//! As much of the basic encoding rules (X.690) as a trap needs: definite lengths, low tags.

/// The tag of an SNMPv2-Trap-PDU.
pub(super) const TRAP_V2: u8 = 0xa7;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const TICKS: u8 = 0x43;

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length => {
            let bytes = length.to_be_bytes();
            let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (bytes.len() - skipped) as u8);
            out.extend(&bytes[skipped..]);
        }
    }
    out.extend(content);
    out
}

/// Parts in an envelope of this tag.
pub(super) fn wrapped(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(tag, &parts.concat())
}

/// A sequence of parts.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    wrapped(SEQUENCE, parts)
}

/// A whole number in the fewest bytes.
pub(super) fn integer(number: i64) -> Vec<u8> {
    tagged(INTEGER, shortest(&number.to_be_bytes()))
}

/// Hundredths of a second.
pub(super) fn ticks(ticks: u32) -> Vec<u8> {
    tagged(TICKS, shortest(&i64::from(ticks).to_be_bytes()))
}

/// Octets.
pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    tagged(OCTETS, bytes)
}

/// An object identifier.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut content = Vec::with_capacity(arcs.len() + 4);
    if let [first, second, rest @ ..] = arcs {
        arc(&mut content, first * 40 + second);
        rest.iter().for_each(|one| arc(&mut content, *one));
    }
    tagged(OID, &content)
}

// Seven bits in each byte, the highest first; all but the last say that there is more.
fn arc(out: &mut Vec<u8>, value: u32) {
    for shift in [28, 21, 14, 7] {
        if value >> shift != 0 {
            out.push(0x80 | ((value >> shift) & 0x7f) as u8);
        }
    }
    out.push((value & 0x7f) as u8);
}

fn shortest(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [first, second, ..] = rest {
        let redundant =
            (*first == 0 && second & 0x80 == 0) || (*first == 0xff && second & 0x80 != 0);
        if !redundant {
            break;
        }
        rest = &rest[1..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    // X.690, 8.1.3.5, 8.3, 8.19.
    #[test]
    fn lengths_numbers_and_identifiers() {
        for (number, bytes) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 0x7f]),
            (128, &[2, 2, 0, 0x80]),
            (-1, &[2, 1, 0xff]),
            (-129, &[2, 2, 0xff, 0x7f]),
            (i64::from(i32::MAX), &[2, 4, 0x7f, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(integer(number), bytes, "{number}");
        }
        assert_eq!(ticks(u32::MAX), [0x43, 5, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(oid(&[2, 999, 3]), [6, 3, 0x88, 0x37, 3]);
        assert_eq!(oid(&[1, 3, 6, u32::MAX]), [6, 7, 0x2b, 6, 0x8f, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(octets(&[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(octets(&[0; 256])[..4], [4, 0x82, 1, 0]);
    }
}
