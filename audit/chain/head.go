package chain

import (
	"cmp"

	"github.com/sallyport/sallyport/internal/auditchain"
)

// claim is what a begin says of the chain before: its line of that number has that hash.
type claim struct {
	sequence uint64
	hash     [32]byte
	signed   bool // the begin is
}

// signature reports whether a head is signed by a key of the verifier, the same one for all heads of a
// chain, and reports it if not. Otherwise whoever has the key of one server could go on with the chain
// of another one.
func (v *Verifier) signature(t *track, text []byte, l *line) bool {
	f := Finding{Kind: BadSignature, Chain: t.id, From: l.sequence, To: l.sequence, File: v.at.file, Line: v.at.line}
	head, signature, ok := auditchain.Signed(text)
	key, known := v.keys[l.link.Key]
	switch {
	case ok && known && auditchain.Verify(key, head, signature):
		if t.key = cmp.Or(t.key, l.link.Key); t.key != l.link.Key {
			f.Kind = OtherKey
			break
		}
		v.summary.Heads++
		if l.time.After(v.summary.Signed) {
			v.summary.Signed = l.time
		}
		return true
	case ok && !known:
		f.Kind = UnknownKey
		if t.unknownKey == l.link.Key {
			return false // has been reported
		}
		t.unknownKey = l.link.Key
	}
	v.report(f)
	return false
}

// head takes what a head says: of its own chain, and a begin of the one before.
func (v *Verifier) head(t *track, l *line, signed bool) {
	if signed && l.sequence > t.signed {
		t.signed, t.signedAt = l.sequence, l.time
	}
	if signed && l.link.Head == auditchain.End {
		t.end = l.sequence
	}
	if l.link.Head == auditchain.Begin && l.link.After != nil {
		before := v.track(l.link.After.ID)
		c := claim{l.link.After.Sequence, l.previous, signed}
		before.successor(c.sequence, l.link.Torn)
		if !v.check(before, c) && len(before.claims) < maxClaims {
			before.claims = append(before.claims, c)
		}
	}
}

// check compares a claim with the line that it is about, and reports whether that is here.
func (v *Verifier) check(t *track, c claim) bool {
	known := false
	for hash := range t.hashes(c.sequence) {
		known = true
		if hash == c.hash {
			if c.signed && c.sequence > t.signed {
				t.signed = c.sequence
			}
			return true
		}
	}
	if known {
		v.report(Finding{Kind: Altered, Chain: t.id, From: c.sequence, To: c.sequence})
		return true
	}
	return t.has(c.sequence)
}

// claimed checks the claims about a line that has just come.
func (v *Verifier) claimed(t *track, sequence uint64) {
	for i := 0; i < len(t.claims); {
		if c := t.claims[i]; c.sequence == sequence && v.check(t, c) {
			t.claims = append(t.claims[:i], t.claims[i+1:]...)
			continue
		}
		i++
	}
}
