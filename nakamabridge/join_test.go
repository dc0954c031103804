package nakamabridge

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// "metadata: what match_join has on a socket". Package comment
func TestMetadata(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		for _, c := range []struct {
			json string
			want map[string]string
		}{
			{`,"metadata":{"deck":"[1,2]","transport":"socket"}`, map[string]string{"deck": "[1,2]", "transport": "udp"}},
			{`,"metadata":{}`, map[string]string{"transport": "udp"}},
			{`,"metadata":null`, map[string]string{"transport": "udp"}},
			{``, map[string]string{"transport": "udp"}},
		} {
			r, err := w.connectWith(w.signIn(newUUID()), "", `{"match_id":"`+w.stage.id+`"`+c.json+`}`)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.try(r, func(context.Context) ([]byte, error) { return []byte(r.Token), nil }); err != nil {
				t.Fatal(err)
			}
			w.settle()
			if got := w.stage.arena.metadata; !maps.Equal(got, c.want) {
				t.Errorf("%s: MatchJoinAttempt gets %q, want %q", c.json, got, c.want)
			}
		}
	})
}

// A call for another match is no call for this one.
func TestMetadataOfAnotherMatch(t *testing.T) {
	t.Parallel()
	p := profile{matchID: "a", metadata: map[string]string{"deck": "x"}}
	if got := p.metadataFor("b"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestMetadataBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	l := w.signIn("ben")
	for size, want := range map[int]int{maxMetadata: 0, maxMetadata + 1: 3} {
		_, err := w.connectWith(l, "", `{"match_id":"`+w.stage.id+`","metadata":{"deck":"`+strings.Repeat("x", size-4)+`"}}`)
		if want == 0 && err != nil {
			t.Errorf("%d bytes of metadata: %v", size, err)
		} else if want != 0 {
			code(t, err, want)
		}
	}
	for _, bad := range []string{`[]`, `{"a":1}`, `"a"`} {
		_, err := w.connectWith(l, "", `{"match_id":"`+w.stage.id+`","metadata":`+bad+`}`)
		code(t, err, 3)
	}
}

// "The reason that a handler gives … reaches the client as the detail of the CLOSE." Package comment
func TestRejectReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 40) // 80 bytes
	for reason, want := range map[string]string{
		"Room is full (2 players)": "Room is full (2 players)",
		"":                         joinRejected,
		long:                       long[:64],
		"x" + long:                 "x" + long[:62],
	} {
		virtually(t, func(w *world) {
			w.stage.arena.refuse, w.stage.arena.reason = "eve", reason
			c := w.dial(w.signIn("eve"), "")
			w.settle()
			if got := w.closed(c); got.Reason != session.ReasonKicked || got.Detail != want {
				t.Errorf("%q: the client gets %+v", reason, got)
			}
		})
	}
}

// closed waits for the end of the client's session.
func (w *world) closed(c *transport.Client) *transport.CloseError {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	var err error
	for b := make([]byte, transport.MaxPayload); err == nil; {
		_, err = c.Receive(ctx, b)
	}
	e, ok := err.(*transport.CloseError)
	if !ok {
		w.Fatal(err)
	}
	return e
}

// "9 (the match exists, and is not behind a Bridge: its handler is in Lua or TypeScript, …)" Package comment
func TestNotBehindABridge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	lua, gone := newUUID()+".node1", newUUID()+".node1"
	nk := &calls{matches: map[string]bool{lua: true}}
	ctx := w.signIn("ben").context(w.ctx)
	for id, want := range map[string]int{lua: 9, gone: 5, "nonsense": 5} {
		_, err := w.bridge.Connect(ctx, nil, nil, nk, `{"match_id":"`+id+`"}`)
		code(t, err, want)
		if (want == 9) != strings.Contains(err.Error(), "this match is not behind a bridge") {
			t.Errorf("%s: %v", id, err)
		}
	}
	nk.fail = errNone
	_, err := w.bridge.Connect(ctx, nil, nil, nk, `{"match_id":"`+lua+`"}`)
	code(t, err, 5)
}
