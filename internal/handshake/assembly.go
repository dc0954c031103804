package handshake

import "bytes"

// assembly puts the fragments of one ClientHello together. It holds memory only once begin has been
// called, and as much as the message is long, at most MaxHello bytes and an eighth.
type assembly struct {
	message  []byte
	have     []byte // a bit for each byte of message
	length   int
	missing  int
	disputed bool // two fragments have other bytes in the same place: one of them is a forger's
}

// begun reports whether a message is being assembled.
func (a *assembly) begun() bool { return a.message != nil }

// begin makes room for a message of length bytes.
func (a *assembly) begin(length int) {
	*a = assembly{message: make([]byte, length), have: make([]byte, (length+7)/8), length: length, missing: length}
}

// add takes a fragment, and reports whether it is consistent with those before it: it names the
// same total length and, where they overlap, has the same bytes.
func (a *assembly) add(m message) bool {
	if m.length != len(a.message) {
		return false
	}
	for i := m.from; i < m.to; i++ {
		if a.has(i) && a.message[i] != m.body[i-m.from] {
			a.disputed = true
			return false
		}
	}
	for i := m.from; i < m.to; i++ {
		if !a.has(i) {
			a.have[i/8] |= 1 << (i % 8)
			a.missing--
		}
	}
	copy(a.message[m.from:m.to], m.body)
	return true
}

// cover records which bytes a fragment has, without keeping them, and reports whether all have
// come. A fragment that names another length starts over.
func (a *assembly) cover(m message) bool {
	if a.have == nil || m.length != a.length {
		*a = assembly{have: make([]byte, (m.length+7)/8), length: m.length, missing: m.length}
	}
	for i := m.from; i < m.to; i++ {
		if !a.has(i) {
			a.have[i/8] |= 1 << (i % 8)
			a.missing--
		}
	}
	return a.missing == 0
}

func (a *assembly) has(i int) bool { return a.have[i/8]>>(i%8)&1 == 1 }

// take returns the message once all of it has come, undisputed, and releases it.
func (a *assembly) take() (whole []byte, ok bool) {
	if !a.begun() || a.missing > 0 || a.disputed {
		return nil, false
	}
	whole = a.message
	*a = assembly{}
	return whole, true
}

// sameHello reports whether two offers agree in the values that a client must not change when it
// returns the cookie: "the client MUST use the same parameter values (version, random, session_id,
// cipher_suites, compression_method)" (RFC 6347 4.2.1).
func sameHello(a, b offer) bool {
	return bytes.Equal(a.head, b.head) && bytes.Equal(a.choices, b.choices)
}
