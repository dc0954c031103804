"""The cryptography of PROTOCOL.md, in plain Python.

The standard library has SHA-2 and HMAC; what it lacks is here: AES, CMAC (RFC 4493), GCM
(NIST SP 800-38D), HKDF (RFC 5869) and the PRF of TLS 1.2 (RFC 5246, section 5). It is written to be
read, runs in no constant time, and is good for test vectors only.

KNOWN has answers of those documents; known_answers() tries them.
"""

import hashlib
import hmac


class Forged(Exception):
    """A tag does not fit what it authenticates."""


# AES (FIPS 197), one block at a time, encryption only: CMAC and GCM need no more.


def _double(x):
    return x << 1 ^ (0x11B if x & 0x80 else 0)


def _sbox():
    box = [0] * 256
    p = q = 1  # q is the inverse of p, which runs through all powers of 3
    while True:
        p = p ^ _double(p)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        r = 0
        for shift in range(5):
            r ^= q << shift | q >> (8 - shift)
        box[p] = r & 0xFF ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


SBOX = _sbox()
DOUBLE = [_double(x) for x in range(256)]


class AES:
    def __init__(self, key):
        if len(key) not in (16, 24, 32):
            raise ValueError(f"a key of AES has 16, 24 or 32 bytes, not {len(key)}")
        n, rcon = len(key) // 4, 1
        words = [list(key[i : i + 4]) for i in range(0, len(key), 4)]
        self.rounds = n + 6
        for i in range(n, 4 * (self.rounds + 1)):
            w = list(words[-1])
            if i % n == 0:
                w = [SBOX[b] for b in w[1:] + w[:1]]
                w[0] ^= rcon
                rcon = _double(rcon)
            elif n > 6 and i % n == 4:
                w = [SBOX[b] for b in w]
            words.append([a ^ b for a, b in zip(words[i - n], w)])
        self.keys = [sum(words[i : i + 4], []) for i in range(0, len(words), 4)]

    def encrypt(self, block):
        s = [a ^ b for a, b in zip(block, self.keys[0])]
        for number, key in enumerate(self.keys[1:], 1):
            # SubBytes and ShiftRows: row r of the state, which stands by columns, moves by r.
            s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if number < self.rounds:
                t = []
                for c in range(0, 16, 4):
                    a = s[c : c + 4]
                    every = a[0] ^ a[1] ^ a[2] ^ a[3]
                    t += [a[i] ^ every ^ DOUBLE[a[i] ^ a[(i + 1) % 4]] for i in range(4)]
                s = t
            s = [a ^ b for a, b in zip(s, key)]
        return bytes(s)


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cmac(key, message):
    """AES-CMAC of RFC 4493, 16 bytes."""
    aes = AES(key)

    def subkey(x):
        n = int.from_bytes(x, "big") << 1
        return (n ^ (0x87 | 1 << 128) if n >> 128 else n).to_bytes(16, "big")

    k1 = subkey(aes.encrypt(bytes(16)))
    blocks = [message[i : i + 16] for i in range(0, len(message), 16)] or [b""]
    if len(blocks[-1]) == 16:
        blocks[-1] = xor(blocks[-1], k1)
    else:
        blocks[-1] = xor((blocks[-1] + b"\x80").ljust(16, b"\0"), subkey(k1))
    x = bytes(16)
    for b in blocks:
        x = aes.encrypt(xor(x, b))
    return x


# GCM with a nonce of 12 bytes and a tag of 16.


def _multiply(x, y):
    """In GF(2^128), whose bits GCM counts from the left."""
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def _gcm(aes, nonce, data, additional, of):
    """What AES-GCM makes of data, and the tag over the ciphertext `of`, or over the result."""
    if len(nonce) != 12:
        raise ValueError(f"a nonce has 12 bytes here, not {len(nonce)}")
    out = b"".join(
        xor(data[i : i + 16], aes.encrypt(nonce + (2 + i // 16).to_bytes(4, "big"))) for i in range(0, len(data), 16)
    )
    ciphertext = out if of is None else of
    h, x = int.from_bytes(aes.encrypt(bytes(16)), "big"), 0
    lengths = (8 * len(additional)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    for part in (additional, ciphertext, lengths):
        for i in range(0, len(part), 16):
            x = _multiply(x ^ int.from_bytes(part[i : i + 16].ljust(16, b"\0"), "big"), h)
    return out, xor(x.to_bytes(16, "big"), aes.encrypt(nonce + b"\0\0\0\1"))


def seal(key, nonce, plaintext, additional):
    """AES-GCM: the ciphertext and, after it, its tag of 16 bytes."""
    return b"".join(_gcm(AES(key), nonce, plaintext, additional, None))


def open_sealed(key, nonce, sealed, additional):
    """What seal has sealed. Raises Forged if key, nonce, bytes or additional data are others."""
    if len(sealed) < 16:
        raise Forged("shorter than a tag")
    ciphertext = sealed[:-16]
    plaintext, tag = _gcm(AES(key), nonce, ciphertext, additional, ciphertext)
    if not hmac.compare_digest(tag, sealed[-16:]):
        raise Forged("the tag is another")
    return plaintext


# Keys from secrets.


def sha256(data):
    return hashlib.sha256(data).digest()


def hmac_sha256(key, data):
    return hmac.new(key, data, "sha256").digest()


def hkdf(secret, salt, info, size):
    """HKDF-SHA256 of RFC 5869, extract and expand. An empty salt stands for 32 zeros."""
    key = hmac_sha256(salt or bytes(32), secret)
    out = block = b""
    while len(out) < size:
        block = hmac_sha256(key, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:size]


def prf(hash_name, secret, label, seed, size):
    """The PRF of TLS 1.2, RFC 5246, section 5."""
    seed = label + seed
    out, a = b"", seed
    while len(out) < size:
        a = hmac.new(secret, a, hash_name).digest()
        out += hmac.new(secret, a + seed, hash_name).digest()
    return out[:size]


# The documents' own answers: name, a call, and what it has to give.

_h = bytes.fromhex
_RFC4493 = _h("2b7e151628aed2a6abf7158809cf4f3c")
_RFC4493_MESSAGE = _h(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
_GCM_KEY = _h("feffe9928665731c6d6a8f9467308308")
_GCM_NONCE = _h("cafebabefacedbaddecaf888")
_GCM_ADDITIONAL = _h("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_GCM_PLAIN = _h(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)

KNOWN = [
    (
        "FIPS 197, C.1: AES-128",
        lambda: AES(bytes(range(16))).encrypt(_h("00112233445566778899aabbccddeeff")),
        "69c4e0d86a7b0430d8cdb78070b4c55a",
    ),
    (
        "FIPS 197, C.3: AES-256",
        lambda: AES(bytes(range(32))).encrypt(_h("00112233445566778899aabbccddeeff")),
        "8ea2b7ca516745bfeafc49904b496089",
    ),
    ("RFC 4493, example 1", lambda: cmac(_RFC4493, b""), "bb1d6929e95937287fa37d129b756746"),
    ("RFC 4493, example 2", lambda: cmac(_RFC4493, _RFC4493_MESSAGE[:16]), "070a16b46b4d4144f79bdd9dd04a287c"),
    ("RFC 4493, example 3", lambda: cmac(_RFC4493, _RFC4493_MESSAGE[:40]), "dfa66747de9ae63030ca32611497c827"),
    ("RFC 4493, example 4", lambda: cmac(_RFC4493, _RFC4493_MESSAGE), "51f0bebf7e3b9d92fc49741779363cfe"),
    ("GCM, test case 1", lambda: seal(bytes(16), bytes(12), b"", b""), "58e2fccefa7e3061367f1d57a4e7455a"),
    (
        "GCM, test case 2",
        lambda: seal(bytes(16), bytes(12), bytes(16), b""),
        "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
    ),
    (
        "GCM, test case 4",
        lambda: seal(_GCM_KEY, _GCM_NONCE, _GCM_PLAIN, _GCM_ADDITIONAL),
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
        "5bc94fbc3221a5db94fae95ae7121a47",
    ),
    (
        "GCM, test case 16: AES-256",
        lambda: seal(_GCM_KEY * 2, _GCM_NONCE, _GCM_PLAIN, _GCM_ADDITIONAL),
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    (
        "RFC 5869, test case 1",
        lambda: hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        "RFC 5869, test case 3: no salt",
        lambda: hkdf(b"\x0b" * 22, b"", b"", 42),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
    (
        "RFC 4231, test case 2: HMAC-SHA256",
        lambda: hmac_sha256(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    # The IETF's TLS list has these two for want of any in RFC 5246.
    (
        "TLS 1.2 PRF, SHA-256",
        lambda: prf(
            "sha256",
            _h("9bbe436ba940f017b17652849a71db35"),
            b"test label",
            _h("a0ba9f936cda311827a6f796ffd5198c"),
            100,
        ),
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66",
    ),
    (
        "TLS 1.2 PRF, SHA-384",
        lambda: prf(
            "sha384",
            _h("b80b733d6ceefcdc71566ea48e5567df"),
            b"test label",
            _h("cd665cf6a8447dd6ff8b27555edb7465"),
            148,
        ),
        "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0"
        "e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425"
        "9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f",
    ),
]


def known_answers():
    """Tries KNOWN, and yields each name with what it should give and what it gives, in hex."""
    for name, call, want in KNOWN:
        yield name, want, call().hex()
    sealed = seal(_GCM_KEY, _GCM_NONCE, _GCM_PLAIN, _GCM_ADDITIONAL)
    yield "GCM opens", _GCM_PLAIN.hex(), open_sealed(_GCM_KEY, _GCM_NONCE, sealed, _GCM_ADDITIONAL).hex()
    for i in (0, len(sealed) - 1):
        try:
            open_sealed(_GCM_KEY, _GCM_NONCE, sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :], _GCM_ADDITIONAL)
            yield f"GCM refuses byte {i} changed", "refused", "opened"
        except Forged:
            yield f"GCM refuses byte {i} changed", "refused", "refused"
