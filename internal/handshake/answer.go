package handshake

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/internal/record"
)

// answer records what a client's Conn has seen of the server's flight.
type answer struct{ otherVersion, otherSuite, noMasterSecret, wantsCertificate bool }

// note records a message of the flight.
func (a *answer) note(m message) {
	switch {
	case m.typ == certificateRequest:
		a.wantsCertificate = true
	case m.typ == serverHello && m.from == 0 && m.to == m.length:
		a.hello(m.body)
	}
}

// hello reads a ServerHello: version 2 ‖ random 32 ‖ session_id <0..32> ‖ cipher_suite 2 ‖
// compression_method 1 ‖ extensions.
func (a *answer) hello(body []byte) {
	in := reader(body)
	if !in.skip(2 + 32) {
		return
	}
	a.otherVersion = binary.BigEndian.Uint16(body) != record.Version
	if _, ok := in.vector8(); !ok || len(in) < 3 {
		return
	}
	switch record.Suite(binary.BigEndian.Uint16(in)) {
	case record.ECDSAWithAES128, record.ECDSAWithAES256, record.RSAWithAES128, record.RSAWithAES256:
	default:
		a.otherSuite = true
	}
	in.skip(3)
	extensions, _ := in.vector16()
	a.noMasterSecret = true
	for in := reader(extensions); len(in) >= 4; {
		typ := binary.BigEndian.Uint16(in)
		in.skip(2)
		if _, ok := in.vector16(); !ok {
			return
		}
		if typ == extMasterSecret {
			a.noMasterSecret = false
		}
	}
}

// cause returns why a client gives up after such a flight, nil if it does not.
func (a *answer) cause() error {
	switch {
	case a.otherVersion:
		return ErrVersion
	case a.otherSuite:
		return ErrSuite
	case a.noMasterSecret:
		return ErrMasterSecret
	}
	return nil
}
