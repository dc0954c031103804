package token

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
)

// A KeySet provides an issuer's keys. Key returns the key named kid, or the issuer's only key if
// kid is empty. It is safe for concurrent use and fast for known keys, because it is called each
// time a token is presented. Before it waits for a fetch it calls AboutToWait. Its errors match
// ErrUnknownKey (there is no such key) or ErrUnavailable (try again).
type KeySet interface {
	Key(ctx context.Context, kid string) (Key, error)
}

// StaticKeys is a KeySet that never changes.
type StaticKeys struct {
	keys map[string]Key
	only Key // the key, if there is exactly one
}

// NewStaticKeys returns a set of 1 to 64 keys with different names. Only a key that is alone may
// have no name. Errors match ErrKey.
func NewStaticKeys(keys ...Key) (*StaticKeys, error) {
	s := &StaticKeys{keys: make(map[string]Key, len(keys))}
	for _, k := range keys {
		if k.material == nil || k.id == "" && len(keys) > 1 {
			return nil, withDetail(ErrKey, "it is empty or has no name")
		}
		s.keys[k.id] = k
	}
	if len(s.keys) != len(keys) {
		return nil, withDetail(ErrKey, "two keys have one name")
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, withDetail(ErrKey, "a set has 1 to 64 usable keys")
	}
	if len(keys) == 1 {
		s.only = keys[0]
	}
	return s, nil
}

// Key returns the key named kid. Without kid it returns the only key of the set and refuses to
// guess among several.
func (s *StaticKeys) Key(_ context.Context, kid string) (Key, error) {
	k := s.find(kid)
	if k.material == nil {
		return Key{}, ErrUnknownKey
	}
	return k, nil
}

// find is Key, with the zero Key for one that there is not.
func (s *StaticKeys) find(kid string) Key {
	if kid == "" {
		return s.only
	}
	return s.keys[kid]
}

// keep replaces keys of s, which is not shared yet, by equal ones of an earlier set: tokens
// verified with them stay verified.
func (s *StaticKeys) keep(earlier *StaticKeys) {
	for id, k := range s.keys {
		if old, ok := earlier.keys[id]; ok && old.equal(k) {
			s.keys[id] = old
			if s.only.material != nil {
				s.only = old
			}
		}
	}
}

// ParseKeys reads an issuer's public keys: PEM blocks (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE) or
// a JWK set (RFC 7517), at most 64 KiB. A key without an id gets its RFC 7638 thumbprint as one.
//
// A key that is listed more than once counts once. Different keys with one id, which RFC 7517 4.5
// only advises against, count as one Key: a token that names the id is good under any of them,
// since each is the issuer's own. Of more than 8, only the first 8 count.
//
// Every PEM block must be usable. Of a JWK set, keys for other algorithms and purposes are left
// out, as RFC 7517 5 asks; a set that contains a private key is refused. Of a certificate only the
// key is used: the operator trusts it by putting the file there. Errors match ErrKey.
func ParseKeys(data []byte, alg Algorithm) (*StaticKeys, error) {
	if len(data) > maxKeySetLen {
		return nil, withDetail(ErrKey, "the file is larger than 64 KiB")
	}
	data = bytes.TrimSpace(data)
	parse := parsePEM
	if bytes.HasPrefix(data, []byte{'{'}) {
		parse = parseJWKSet
	}
	keys, err := parse(data, alg)
	if err != nil {
		return nil, err
	}
	return NewStaticKeys(byName(keys)...)
}

// byName makes keys of one id one Key.
func byName(keys []Key) (out []Key) {
	for _, k := range keys {
		if i := slices.IndexFunc(out, func(o Key) bool { return o.id == k.id }); i >= 0 {
			out[i] = out[i].and(k)
		} else {
			out = append(out, k)
		}
	}
	return out
}

func parsePEM(data []byte, alg Algorithm) (keys []Key, err error) {
	for len(data) > 0 {
		block, rest := pem.Decode(data)
		if block == nil {
			return nil, withDetail(ErrKey, "neither PEM nor a JWK set")
		}
		pub, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		k, err := NewPublicKey("", alg, pub)
		if err != nil {
			return nil, err
		}
		keys, data = append(keys, k), bytes.TrimSpace(rest)
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (pub crypto.PublicKey, err error) {
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			pub = cert.PublicKey
		}
	default:
		return nil, withDetail(ErrKey, "a PEM block is neither public key nor certificate")
	}
	if err != nil {
		return nil, withDetail(ErrKey, "a PEM block cannot be read")
	}
	return pub, nil
}
