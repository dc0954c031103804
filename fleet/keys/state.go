package keys

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
	"golang.org/x/crypto/cryptobyte"
)

const stateVersion = 1

// state returns what a Keeper must remember. It has the keys in clear: the caller clears it.
//
//	version (1), always 1 ‖ fleet, text ‖ epoch (8) ‖ revision (8) ‖ ancestor (8) ‖ phase (1)
//	keys: length (2) and of each   role (1) ‖ since (8) ‖ until (8), Unix milliseconds, 0 for none ‖
//	                               line of a key file, text
//	instances, up to the end       number (16) ‖ SPIFFE id, text ‖ public key (32) ‖ counter (8) ‖
//	                               lease (8), milliseconds
func (k *keeping) state() ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 256+maxKeys*128+len(k.members)*2300)) // no copy is left behind
	b.AddUint8(stateVersion)
	addText(b, []byte(k.fleet))
	k.ring.add(b)
	b.AddUint64(k.ancestor)
	b.AddUint8(uint8(k.phase))
	var keys []byte
	for _, f := range k.keys {
		line, err := f.key.Text()
		if err != nil {
			return nil, err
		}
		kb := cryptobyte.NewBuilder(make([]byte, 0, 256))
		kb.AddUint8(uint8(f.role))
		addTime(kb, f.since)
		addTime(kb, f.until)
		addText(kb, line)
		one := kb.BytesOrPanic()
		keys = append(keys, one...)
		clear(line)
		clear(one)
	}
	addText(b, keys)
	clear(keys)
	for i, m := range k.members {
		b.AddBytes(i[:])
		addText(b, []byte(m.id))
		b.AddBytes(m.public[:])
		b.AddUint64(m.counter)
		b.AddUint64(uint64(m.lease.Milliseconds()))
	}
	return b.Bytes()
}

// restore reads what state has returned. What an instance has is unknown, and it was heard now.
func (k *keeping) restore(now time.Time, b []byte) error {
	bad := fmt.Errorf("%w: its content is damaged, or of a later version", ErrStore)
	s := cryptobyte.String(b)
	var v, phase uint8
	var fleet []byte
	var keys cryptobyte.String
	if !s.ReadUint8(&v) || v != stateVersion || !readText(&s, &fleet) || !k.ring.read(&s) || !s.ReadUint64(&k.ancestor) ||
		!s.ReadUint8(&phase) || !s.ReadUint16LengthPrefixed(&keys) {
		return bad
	}
	if string(fleet) != k.fleet {
		return fmt.Errorf("%w: it is that of another fleet", ErrStore)
	}
	if k.phase = Phase(phase); k.phase < PhaseSteady || k.phase > PhaseDrain {
		return bad
	}
	for !keys.Empty() {
		var f kept
		var role uint8
		var line []byte
		if !keys.ReadUint8(&role) || !readTime(&keys, &f.since) || !readTime(&keys, &f.until) || !readText(&keys, &line) {
			return bad
		}
		list, err := fleetkey.Parse(line)
		if err != nil || len(list) != 1 || len(k.keys) == maxKeys {
			return bad
		}
		f.key, f.role = list[0], Role(role)
		k.keys = append(k.keys, f)
	}
	if !k.sound() {
		return bad
	}
	for !s.Empty() {
		var i instance
		var id []byte
		var lease uint64
		m := &member{heard: now}
		if !s.CopyBytes(i[:]) || !readText(&s, &id) || !s.CopyBytes(m.public[:]) || !s.ReadUint64(&m.counter) || !s.ReadUint64(&lease) {
			return bad
		}
		m.id = string(id)
		m.lease = time.Duration(lease) * time.Millisecond
		k.members[i] = m
	}
	k.written()
	return nil
}

// sound reports whether the keys are as their phase has them.
func (k *keeping) sound() bool {
	for i, f := range k.keys {
		want := RoleFormer
		switch {
		case i == 0:
			want = RoleSealing
		case i == 1 && k.phase == PhaseSpread:
			want = RoleNext
		}
		if f.role != want {
			return false
		}
	}
	return len(k.keys) > 0 && (k.phase != PhaseSpread || len(k.keys) > 1)
}

func addTime(b *cryptobyte.Builder, t time.Time) {
	if t.IsZero() {
		b.AddUint64(0)
		return
	}
	b.AddUint64(uint64(t.UnixMilli()))
}

func readTime(s *cryptobyte.String, t *time.Time) bool {
	var ms uint64
	if !s.ReadUint64(&ms) {
		return false
	}
	if *t = (time.Time{}); ms != 0 {
		*t = time.UnixMilli(int64(ms))
	}
	return true
}
