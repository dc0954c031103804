package nakamabridge

import (
	"strings"
	"testing"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/transport"
)

// "A client that has asked for it with sender gets … the 16 bytes of the user id whom the game names as the sender": a
// handler that passes messages on, as many do, leaves it to the presence who has sent them.
func TestSender(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		clients := map[string]*transport.Client{}
		ids := map[string]string{"nobody": strings.Repeat("\x00", 16)}
		dial := func(l *login, sid string) {
			r, err := w.connectWith(l, sid, `{"match_id":"`+w.stage.id+`","sender":true}`)
			if err != nil {
				t.Fatal(err)
			}
			if clients[l.username], err = w.try(r, once(r.Token)); err != nil {
				t.Fatal(err)
			}
			id := senderID(&virtual{UserID: l.userID})
			ids[l.username] = string(id[:])
		}
		anna := w.signIn("anna")
		dial(anna, w.stage.join(anna).GetSessionId())
		dial(w.signIn("ben"), "")
		clients["plain"] = w.dial(w.signIn("plain"), "")
		w.settle()
		w.stage.arena.loop = func(d runtime.MatchDispatcher, messages []runtime.MatchData) {
			for _, m := range messages {
				d.BroadcastMessage(m.GetOpCode(), m.GetData(), nil, m, false)
			}
			d.BroadcastMessageDeferred(9, []byte("world"), nil, nil, false)
			w.stage.arena.loop = nil
		}
		w.send(clients["ben"], 5, "hello")
		w.settle()
		for name, c := range clients {
			for _, want := range []struct {
				op     int64
				sender string
				data   string
			}{{5, "ben", "hello"}, {9, "nobody", "world"}} {
				text := ids[want.sender] + want.data
				if name == "plain" {
					text = want.data
				}
				if op, data := w.receive(c); op != want.op || data != text {
					t.Errorf("%s gets %d %q, want %d %q", name, op, data, want.op, text)
				}
			}
		}
	})
}

// "Data is 16 bytes shorter then."
func TestSenderFits(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		r, err := w.connectWith(w.signIn("ben"), "", `{"match_id":"`+w.stage.id+`","sender":true}`)
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.try(r, once(r.Token))
		if err != nil {
			t.Fatal(err)
		}
		plain := w.dial(w.signIn("plain"), "")
		w.settle()
		w.stage.arena.loop = func(d runtime.MatchDispatcher, _ []runtime.MatchData) {
			for extra := range 2 {
				d.BroadcastMessage(1, make([]byte, transport.MaxPayload-1-16+extra), nil, nil, true)
			}
			w.stage.arena.loop = nil
		}
		w.settle()
		w.settle()
		if n, m := b.Stats().Received, plain.Stats().Received; n != 1 || m != 2 {
			t.Errorf("%d with a sender and %d without came, want 1 and 2", n, m)
		}
		if s := w.bridge.Stats(); s.Oversized != 1 || s.Undelivered != 1 {
			t.Errorf("counted are %+v", s)
		}
	})
}

func TestSenderID(t *testing.T) {
	t.Parallel()
	for userID, want := range map[string]string{
		"00112233-4455-6677-8899-aabbccddeeff": "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
		"":                                     strings.Repeat("\x00", 16), "ai": strings.Repeat("\x00", 16), "0011": strings.Repeat("\x00", 16),
	} {
		if got := senderID(&virtual{UserID: userID}); string(got[:]) != want {
			t.Errorf("%q: %x", userID, got)
		}
	}
}

// "the scope … or is match: and the match id": each word is read wherever it is.
func TestScopeWords(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string][3]any{
		"match:m": {"m", "", false}, "match:m sid:s": {"m", "s", false},
		"match:m sender sid:s": {"m", "s", true}, "match:m sender": {"m", "", true}, "": {"", "", false},
	} {
		m, s, sender := scopeWords(scope)
		if got := [3]any{m, s, sender}; got != want {
			t.Errorf("%q: %v, want %v", scope, got, want)
		}
	}
}
