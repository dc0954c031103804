package lanes

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// What WELCOME says of a table gives the client the same table, on a wire that takes every value.
func TestTableOfWelcome(t *testing.T) {
	server, err := NewTable([]Lane{
		{Mode: Sequenced, MaxMessage: 8192, Parity: 2, MaxAge: 250 * time.Microsecond},
		{Mode: Reliable, Priority: 3, Weight: 7, Credit: wire.MaxMessage, Input: true, Insure: true, MaxAge: maxAge},
		{Mode: Ordered, MaxMessage: 100_000, Receipts: true},
		{Mode: Latest, MaxAge: time.Second},
		{Mode: Unreliable, MaxMessage: wire.MaxMessage},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := wire.Welcome{
		Session: 1, Epoch: 1, ClientNext: 1, ServerNext: 1, Features: wire.FeatureLanes,
		Lanes: wire.WelcomeLanes{Generation: 1, Delay: 16, Rate: 1},
	}
	server.Welcome(&w.Lanes)
	got, err := wire.ParseWelcome(w.AppendTo(nil))
	if err != nil || got.Lanes != w.Lanes {
		t.Fatalf("%+v, %v; want %+v", got.Lanes, err, w.Lanes)
	}
	client, credit, err := TableOf(&wire.HelloLanes{}, &got.Lanes)
	if err != nil {
		t.Fatal(err)
	}
	want := *server
	want.lanes = append([]Lane(nil), server.lanes...)
	want.lanes[0].MaxAge = time.Millisecond // the wire has no less
	want.lanes[3].MaxAge = 0                // a value has no age
	for i := range want.lanes {
		if !want.lanes[i].Mode.repeats() {
			client.lanes[i].Credit = want.lanes[i].Credit // not used
		} else if int(credit[i]) != want.lanes[i].Credit {
			t.Errorf("lane %d: credit %d, want %d", i, credit[i], want.lanes[i].Credit)
		}
	}
	if !reflect.DeepEqual(*client, want) {
		t.Errorf("%+v\nwant %+v", *client, want)
	}
}

// "A credit that HELLO does not state, or states as 0, is the one that WELCOME names for the lane. A
// credit below the lane's largest message stands for that message's length." PROTOCOL.md 16.2
func TestFirstCredits(t *testing.T) {
	server, err := NewTable([]Lane{{Mode: Reliable, MaxMessage: 2000, Credit: 9000}, {Mode: Ordered, Credit: 7000}, {Mode: Reliable}})
	if err != nil {
		t.Fatal(err)
	}
	var w wire.WelcomeLanes
	server.Welcome(&w)
	if got := server.PeerCredit(&wire.HelloLanes{}); got != nil {
		t.Errorf("%v of a HELLO that states none", got)
	}
	h := wire.HelloLanes{Stated: 2}
	for _, test := range []struct{ stated, want uint32 }{
		{0, 9000}, {1, 2000}, {1999, 2000}, {2000, 2000}, {2001, 2001}, {1<<32 - 1, wire.MaxMessage},
	} {
		h.Credits[0], h.Credits[1] = test.stated, 0
		want := []uint32{test.want, 7000, DefaultCredit}
		if got := server.PeerCredit(&h); !reflect.DeepEqual(got, want) {
			t.Errorf("%d: the server takes %v, want %v", test.stated, got, want)
		}
		client, credit, err := TableOf(&h, &w)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range client.lanes {
			if l.Credit != int(want[i]) {
				t.Errorf("%d: the client grants %d on lane %d, want %d", test.stated, l.Credit, i, want[i])
			}
		}
		if !reflect.DeepEqual(credit, []uint32{9000, 7000, DefaultCredit}) {
			t.Errorf("the client takes %v", credit)
		}
	}
}

// A server whose WELCOME says nothing of use is no reason to panic.
func TestTableOfNothing(t *testing.T) {
	if _, _, err := TableOf(&wire.HelloLanes{}, &wire.WelcomeLanes{}); !errors.Is(err, ErrConfig) {
		t.Errorf("error %v", err)
	}
}
