package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"slices"
)

// parseJWKSet parses {"keys": [...]} (RFC 7517 5), as strictly as a token, and returns the keys for
// alg.
func parseJWKSet(data []byte, alg Algorithm) (keys []Key, err error) {
	o, err := parseObject(data)
	list, ok := o["keys"].([]any)
	if err != nil || !ok {
		return nil, withDetail(ErrKey, "not a JWK set")
	}
	for _, v := range list {
		jwk, ok := v.(object)
		if !ok {
			return nil, withDetail(ErrKey, "not a JWK set")
		}
		for _, private := range []string{"d", "p", "q", "k"} {
			if _, present := jwk[private]; present {
				return nil, withDetail(ErrKey, "the set contains a private key")
			}
		}
		if k, ok := parseJWK(jwk, alg); ok {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// parseJWK parses one public key. It returns false for a key of another type, a key marked for
// another algorithm or use, and a key that breaks a rule of NewPublicKey.
func parseJWK(o object, alg Algorithm) (Key, bool) {
	r := reader{o: o}
	kid := r.text("kid", maxKeyID)
	if a := r.text("alg", maxText); a != "" && a != string(alg) {
		return Key{}, false
	}
	if use := r.text("use", maxText); use != "" && use != "sig" {
		return Key{}, false
	}
	if ops := r.texts("key_ops", maxText); ops != nil && !slices.Contains(ops, "verify") {
		return Key{}, false
	}
	pub := parseMaterial(&r)
	if r.fault != nil || pub == nil {
		return Key{}, false
	}
	k, err := NewPublicKey(kid, alg, pub)
	return k, err == nil
}

// parseMaterial reads the key itself (RFC 7518 6, RFC 8037 2), or nil.
func parseMaterial(r *reader) crypto.PublicKey {
	switch kty, crv := r.text("kty", maxText), r.text("crv", maxText); {
	case kty == "RSA":
		n, e := r.bytes("n"), r.bytes("e")
		if len(e) <= 4 {
			return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		}
	case kty == "EC" && crv == "P-256":
		x, y := r.bytes("x"), r.bytes("y")
		if len(x) == 32 && len(y) == 32 {
			if pub, err := parseP256(slices.Concat([]byte{4}, x, y)); err == nil {
				return pub
			}
		}
	case kty == "OKP" && crv == "Ed25519":
		return ed25519.PublicKey(r.bytes("x"))
	}
	return nil
}

// bytes reads a required base64url string.
func (r *reader) bytes(name string) []byte {
	s, _ := r.o[name].(string)
	b, ok := decodeSegment([]byte(s))
	if !ok {
		r.refuse(name, "not base64url")
	}
	return b
}

// members are the required members of pub as a JWK, for a key that NewPublicKey accepted.
func members(pub crypto.PublicKey) map[string]string {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(p.E)).Bytes()
		return map[string]string{"kty": "RSA", "n": strict.EncodeToString(p.N.Bytes()), "e": strict.EncodeToString(e)}
	case *ecdsa.PublicKey:
		point, _ := p.Bytes() // 4 ‖ x ‖ y
		x, y := strict.EncodeToString(point[1:33]), strict.EncodeToString(point[33:])
		return map[string]string{"kty": "EC", "crv": "P-256", "x": x, "y": y}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": strict.EncodeToString(p)}
	}
	return nil
}

// thumbprint names a public key (RFC 7638): the hash of its required members, sorted and without
// white space, which is how encoding/json writes a map.
func thumbprint(pub crypto.PublicKey) string {
	b, _ := json.Marshal(members(pub))
	sum := sha256.Sum256(b)
	return strict.EncodeToString(sum[:])
}

// marshalJWKSet writes public keys as a JWK set. Secret keys are left out.
func marshalJWKSet(keys ...Key) []byte {
	list := []map[string]string{}
	for _, k := range keys {
		for _, key := range k.material().keys {
			if m := members(key); m != nil {
				m["kid"], m["alg"], m["use"] = k.id, string(k.alg), "sig"
				list = append(list, m)
			}
		}
	}
	b, _ := json.Marshal(map[string]any{"keys": list})
	return b
}
