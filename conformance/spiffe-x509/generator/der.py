"""DER, written by hand, because no library writes what is wrong on purpose."""


def tlv(tag, content):
    return bytes([tag]) + length(len(content)) + content


def length(size):
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def sequence(*parts):
    return tlv(0x30, b"".join(parts))


def set_of(*parts):
    return tlv(0x31, b"".join(sorted(parts)))


def integer(value):
    size = (value + (value < 0)).bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(size, "big", signed=True))


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def bit_string(content, unused=0):
    return tlv(0x03, bytes([unused]) + content)


def octet_string(content):
    return tlv(0x04, content)


def null():
    return b"\x05\x00"


def oid(dotted):
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = b""
    for arc in [40 * first + second, *rest]:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        content += bytes(reversed(groups))
    return tlv(0x06, content)


def explicit(number, content):
    return tlv(0xA0 | number, content)


def named_bits(*bits):
    """A BIT STRING whose set bits are the given ones, without trailing zeros (X.690 §11.2.2)."""
    if not bits:
        return bit_string(b"")
    octets = bytearray(max(bits) // 8 + 1)
    for bit in bits:
        octets[bit // 8] |= 0x80 >> bit % 8
    return bit_string(bytes(octets), 7 - max(bits) % 8)


def time(text):
    """`2026-06-01T00:00:00Z` as RFC 5280 §4.1.2.5 writes it: two digits for the years 1950 to 2049."""
    digits = "".join(character for character in text if character.isdigit())
    if 1950 <= int(digits[:4]) < 2050:
        return tlv(0x17, (digits[2:] + "Z").encode())
    return tlv(0x18, (digits + "Z").encode())
