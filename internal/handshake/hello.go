package handshake

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/sallyport/sallyport/internal/record"
)

// Extensions of a ClientHello that are looked at.
const (
	extServerName     = 0      // RFC 6066 3
	extGroups         = 10     // RFC 8422 5.1.1
	extPointFormats   = 11     // RFC 8422 5.1.2
	extSignatures     = 13     // RFC 5246 7.4.1.4.1
	extMasterSecret   = 23     // RFC 7627 5.1
	extRenegotiation  = 0xff01 // RFC 5746 3.2
	nullCompression   = 0
	uncompressedPoint = 0

	ecdsaSHA256 = 0x0403 // SignatureAndHashAlgorithm, RFC 5246 7.4.1.4.1
	rsaSHA256   = 0x0401
)

// offer is a ClientHello, or as much of one as a fragment holds: at least all before the
// extensions. It borrows from the bytes that it was read from.
//
//	client_version 2 ‖ random 32 ‖ session_id <0..32>      head
//	cookie <0..255>
//	cipher_suites <2..> ‖ compression_methods <1..>        choices
//	extensions <0..>
type offer struct {
	head, cookie, choices []byte
	suites                []byte // two bytes each
	groups                []byte // two bytes each
	signatures            []byte // two bytes each; nil without the extension
	named                 bool   // groups are there
	masterSecret          bool   // the extended one is offered
}

// readOffer parses a ClientHello of length bytes from b, which holds all of it or its beginning. It
// returns false for a ClientHello that violates RFC 5246 7.4.1.2 and 7.4.1.4 or the rules above for
// its extensions.
func readOffer(b []byte, length int) (o offer, ok bool) {
	in := reader(b)
	if !in.skip(2 + 32) {
		return offer{}, false
	}
	session, ok := in.vector8()
	o.head = b[:len(b)-len(in)]
	if binary.BigEndian.Uint16(b) != record.Version || !ok || len(session) > 32 {
		return offer{}, false
	}
	if o.cookie, ok = in.vector8(); !ok {
		return offer{}, false
	}
	at := len(b) - len(in)
	suites, ok1 := in.vector16()
	methods, ok2 := in.vector8()
	if !ok1 || !ok2 || len(suites) == 0 || len(suites)%2 != 0 || bytes.IndexByte(methods, nullCompression) < 0 {
		return offer{}, false
	}
	o.suites, o.choices = suites, b[at:len(b)-len(in)]
	return o, o.readExtensions(in, length-(len(b)-len(in)), len(b) == length)
}

// clone returns the part of an offer that a greeting keeps, in memory of its own.
func (o offer) clone() offer {
	choices := slices.Clone(o.choices)
	return offer{head: slices.Clone(o.head), choices: choices, suites: choices[2:][:len(o.suites)], groups: slices.Clone(o.groups), named: o.named}
}

// readExtensions reads the length bytes after the compression methods, of which in may be the
// beginning only.
func (o *offer) readExtensions(in reader, length int, whole bool) bool {
	if length == 0 {
		return true // none, as in the first TLS
	}
	if len(in) < 2 {
		return !whole && length >= 2
	}
	if int(binary.BigEndian.Uint16(in)) != length-2 {
		return false
	}
	in.skip(2)
	var types [maxExtensions]uint16
	for n := 0; len(in) > 0; n++ {
		if len(in) < 4 {
			return !whole
		}
		typ := binary.BigEndian.Uint16(in)
		in.skip(2)
		body, ok := in.vector16()
		if !ok {
			return !whole
		}
		if n == maxExtensions || slices.Contains(types[:n], typ) || !o.readExtension(typ, body) {
			return false
		}
		types[n] = typ
	}
	return true
}

// readExtension records one extension, and reports whether it is valid.
func (o *offer) readExtension(typ uint16, body reader) bool {
	switch typ {
	case extServerName:
		return readNames(body)
	case extGroups, extSignatures:
		list, ok := body.vector16()
		if !ok || len(body) > 0 || len(list) == 0 || len(list)%2 != 0 {
			return false
		}
		if typ == extGroups {
			o.groups, o.named = list, true
		} else {
			o.signatures = list
		}
	case extPointFormats:
		formats, ok := body.vector8()
		return ok && len(body) == 0 && bytes.IndexByte(formats, uncompressedPoint) >= 0
	case extMasterSecret:
		o.masterSecret = true
		return len(body) == 0
	case extRenegotiation: // there is none, so nothing has been finished before
		return len(body) == 1 && body[0] == 0
	}
	return true
}

// readNames checks a list of server names, "which MUST NOT contain more than one name of the same
// name_type".
func readNames(body reader) bool {
	list, ok := body.vector16()
	if !ok || len(body) > 0 || len(list) == 0 {
		return false
	}
	var seen [256]bool
	for in := reader(list); len(in) > 0; {
		typ := in[0]
		in.skip(1)
		name, ok := in.vector16()
		if !ok || len(name) == 0 || seen[typ] {
			return false
		}
		seen[typ] = true
	}
	return true
}

// offers reports whether a list of two-byte values contains v.
func offers(list []byte, v uint16) bool {
	for ; len(list) >= 2; list = list[2:] {
		if binary.BigEndian.Uint16(list) == v {
			return true
		}
	}
	return false
}

// reader takes vectors off the front of a slice.
type reader []byte

func (r *reader) skip(n int) bool {
	if len(*r) < n {
		return false
	}
	*r = (*r)[n:]
	return true
}

// vector8 takes a vector whose length is one byte.
func (r *reader) vector8() ([]byte, bool) {
	if len(*r) < 1 {
		return nil, false
	}
	return r.vector(1, int((*r)[0]))
}

// vector16 takes a vector whose length is two bytes.
func (r *reader) vector16() ([]byte, bool) {
	if len(*r) < 2 {
		return nil, false
	}
	return r.vector(2, int(binary.BigEndian.Uint16(*r)))
}

func (r *reader) vector(prefix, n int) ([]byte, bool) {
	if len(*r) < prefix+n {
		return nil, false
	}
	v := (*r)[prefix:][:n:n]
	*r = (*r)[prefix+n:]
	return v, true
}
