package handshake

import "github.com/sallyport/sallyport/internal/record"

// filter decides which records the engine may read; the package comment has its table. Conn.mu
// guards it.
type filter struct {
	server  bool
	cookie  bool // of a client: the server has yet to ask for the cookie
	numbers numbers
	budget  int    // bytes that may still pass or wait
	flight  flight // the client's messages that a server has passed
	keyed   bool   // the engine can derive the keys, or has used them
	changed bool   // a ChangeCipherSpec has passed since
	answer  answer // of a server to its client

	change   []byte   // a ChangeCipherSpec that waits for keyed
	finished [][]byte // Finished records that wait for changed
}

func newFilter(server bool) filter {
	if server {
		return filter{server: true, budget: MaxServerBytes}
	}
	return filter{budget: MaxClientBytes}
}

// fate is the filter's decision about a record.
type fate uint8

const (
	drop   fate = iota
	pass        // to the engine
	later       // to the engine once it can use it
	divert      // to the record layer
)

// sift returns a copy of the records that the engine may see now, the greatest fate among all, and
// whether the peer was heard: by a record of epoch 0 that is not dropped, while anybody can write one of
// epoch 1. Records that may not be seen are left out one by one: "invalid records SHOULD be silently
// discarded" (RFC 6347 4.1.2.7).
func (f *filter) sift(datagram []byte) (now []byte, most fate, heard bool) {
	for rest := datagram; ; {
		rec, more, ok := record.Next(rest)
		if !ok {
			return f.release(now), most, heard
		}
		rest = more
		what := f.judge(rec)
		switch {
		case what == pass:
			now = append(now, rec...)
		case what == later:
			f.hold(rec)
		}
		most = max(most, what)
		h, _ := record.ParseHeader(rec)
		heard = heard || what != drop && h.Epoch == 0
	}
}

// judge applies the table in the package comment, and charges the budget for records that pass or
// wait.
func (f *filter) judge(rec []byte) fate {
	h, _ := record.ParseHeader(rec)
	body := rec[record.HeaderLen:]
	what := drop
	switch {
	case !known(h.Version) || h.Epoch == 0 && !f.numbers.has(h.Seq):
	case h.Epoch == 0 && h.Type == record.Handshake:
		what = f.message(body)
	case h.Epoch == 0 && h.Type == record.ChangeCipherSpec && len(body) == 1 && body[0] == 1:
		what = f.onChange()
	case h.Epoch == 1 && h.Type == record.Handshake && len(rec) == record.Overhead+finishedLen:
		what = f.onFinished()
	case h.Epoch == 1 && (h.Type == record.Alert || h.Type == record.ApplicationData) && !f.server && f.keyed:
		return divert
	}
	if what == drop || len(rec) > f.budget {
		return drop
	}
	f.budget -= len(rec)
	switch {
	case what == pass && h.Type == record.ChangeCipherSpec:
		f.changed = true
	case what == pass && h.Epoch == 0 && f.server && !f.keyed:
		f.keyed = f.flight.add(body)
	}
	return what
}

// message passes a handshake record of epoch 0 if all in it are well-formed messages or fragments.
func (f *filter) message(body []byte) fate {
	what := drop
	for len(body) > 0 {
		m, rest, ok := nextMessage(body)
		if !ok || f.cookie && m.typ != helloVerify {
			return drop
		}
		f.cookie = false
		if !f.server {
			f.answer.note(m)
		}
		body, what = rest, pass
	}
	return what
}
