package nakamabridge

import (
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
