package signals

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Verify asks a transmitter to send a verification event over a stream (SSF 1.0 8.1.4.2), to see that
// events arrive: Stats.LastVerified says when one has. name is the transmitter's Profile.Name, or
// Issuer. The client carries whatever authorization the endpoint wants; nil means
// http.DefaultClient.
func (r *Receiver) Verify(ctx context.Context, name, endpoint, stream string, client *http.Client) error {
	t := r.transmitters[name]
	if t == nil {
		return badConfig("there is no transmitter of that name")
	}
	if client == nil {
		client = http.DefaultClient
	}
	state := rand.Text()
	t.expect(state, time.Now().Add(stateLife))
	body, err := json.Marshal(map[string]string{"stream_id": stream, "state": state})
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	response, err := client.Do(q)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // nothing in it matters
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("signals: the transmitter answers %s", response.Status)
	}
	return nil
}

// expect remembers the state of a verification that was asked for.
func (t *transmitter) expect(state string, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.until = state, until
}

// expects reports whether a verification of that state was asked for. It counts once.
func (t *transmitter) expects(state any, now time.Time) bool {
	got, ok := state.(string)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ok || t.state == "" || now.After(t.until) || subtle.ConstantTimeCompare([]byte(got), []byte(t.state)) != 1 {
		return false
	}
	t.state = ""
	return true
}
