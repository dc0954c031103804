package nakamabridge

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/heroiclabs/nakama-common/runtime"
)

// A UDP-only player's MatchJoinAttempt has what Nakama says of others in its context, as of the call of the RPC.
func TestAttemptContext(t *testing.T) {
	t.Parallel()
	virtually(t, func(w *world) {
		ben := w.signIn("ben")
		ben.vars = map[string]string{"league": "gold"}
		ends := time.Now().Add(2 * time.Minute).Unix()
		w.dial(ben, "")
		w.settle()
		for key, want := range map[string]any{
			runtime.RUNTIME_CTX_USER_ID: ben.userID, runtime.RUNTIME_CTX_USERNAME: "ben",
			runtime.RUNTIME_CTX_VARS: ben.vars, runtime.RUNTIME_CTX_USER_SESSION_EXP: ends,
			runtime.RUNTIME_CTX_CLIENT_IP: "10.1.1.1", runtime.RUNTIME_CTX_MATCH_ID: w.stage.id,
		} {
			if got := w.stage.arena.asked.Value(key); !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %v, want %v", key, got, want)
			}
		}
	})
}

// "Its fields and their order are those of Nakama's own presences." examples/nakama compares them
// with those of a real server.
func TestSameJSON(t *testing.T) {
	t.Parallel()
	v := &virtual{Node: "node1", UserID: "u", SessionID: "s", Username: "ben", Reason: runtime.PresenceReasonLeave}
	in := &input{Presence: v, op: 3, at: 5, data: []byte("x")}
	for _, c := range []struct {
		value any
		want  string
	}{
		{v, `{"Node":"node1","UserID":"u","SessionID":"s","Username":"ben","Reason":3}`},
		{in, `{"UserID":"u","SessionID":"s","Username":"ben","Node":"node1","OpCode":3,"Data":"eA==","Reliable":false,"ReceiveTime":5}`},
	} {
		if b, err := json.Marshal(c.value); err != nil || string(b) != c.want {
			t.Errorf("%s, %v; want %s", b, err, c.want)
		}
	}
	if r := in.GetReason(); r != runtime.PresenceReasonUnknown {
		t.Errorf("a message has the reason %v", r)
	}
}
