package fuzz

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// FuzzDatagrams sends any bytes to the socket, from the address of a player who
// is being served or from a stranger's: "Any byte string at the socket: silent
// drop, nothing lost for others."
func FuzzDatagrams(f *testing.F) {
	w := newWorld(f)
	f.Add(false, []byte{})
	f.Add(true, []byte{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 0}) // plaintext close_notify
	f.Add(true, []byte{20, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 1})    // ChangeCipherSpec of epoch 1
	f.Add(true, w.player.seal(f, wire.KindData, []byte("late"))[:40])
	f.Fuzz(func(t *testing.T, known bool, datagram []byte) {
		w.t = t
		addr := netip.MustParseAddrPort("192.0.2.1:53")
		if known {
			addr = w.player.addr
		}
		w.poll(addr, datagram)
		w.alive()
	})
}

// FuzzEnvelopes sends any plaintext under an honest player's keys: "any
// authenticated client's byte string: silent drop". The sender may lose its own
// session, which takes a valid tag; nobody else does.
func FuzzEnvelopes(f *testing.F) {
	w := newWorld(f)
	for kind := wire.KindHello; kind <= wire.KindFrames; kind++ {
		header := wire.Envelope{Kind: kind, Session: w.player.session.ID(), Seq: 1000, Body: make([]byte, 16)}
		f.Add(header.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		w.t = t
		if len(plaintext) > wire.MaxEnvelope {
			return
		}
		w.poll(w.player.addr, w.player.sealRaw(t, plaintext))
		w.alive() // no tag can be guessed, and a good one starts the count of bad ones anew
	})
}

// FuzzTagged sends any kind and body with a valid tag: everything but CLOSE
// leaves the session alive.
func FuzzTagged(f *testing.F) {
	w := newWorld(f)
	f.Add(uint8(wire.KindPing), []byte("12345678"))
	f.Add(uint8(wire.KindRenew), binary.BigEndian.AppendUint32(nil, 4<<16))
	f.Add(uint8(wire.KindRenew), append([]byte{0, 4, 0, 0}, "abcd"...))
	f.Add(uint8(wire.KindNotice), []byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		w.t = t
		k := wire.Kind(kind)
		if len(body) > wire.MaxBody || k < wire.KindData || k == wire.KindClose || k > wire.KindFrames {
			return
		}
		w.poll(w.player.addr, w.player.seal(t, k, body))
		w.alive()
	})
}
