package transport

import (
	"context"
	"slices"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
)

// raw completes a handshake as player n, sends these messages in place of HELLO, and returns what the server has answered
// by the time that it gives up.
func (w *world) raw(n int, messages ...[]byte) (answers []wire.Envelope) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	c, _, err := prepare(ctx, serverAddr.String(), ClientConfig{
		RootCAs: w.authority.Pool(), ServerName: testkit.ServerName, Token: w.tokens(grantFor(n)), Conn: w.socket(playerAddr(n)),
	})
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	s := search{
		client: &c.config, config: c.config.handshake(), socket: &c.socket, candidates: &c.candidates, progress: &c.progress,
		background: &c.background, results: make(chan searchResult),
	}
	conn, keys, err := s.run(ctx, c.state.addresses.known)
	if err != nil {
		w.Fatal(err)
	}
	defer keys.Secrets.Wipe()
	rc, err := record.New(&keys.Secrets, true, keys.Next, 0)
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range messages {
		b, err := rc.Seal(nil, record.ApplicationData, m)
		if err != nil {
			w.Fatal(err)
		}
		conn.write(b)
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(6 * time.Second)
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range conn.backlog {
		if typ, plaintext, err := rc.Open(slices.Clone(b)); err == nil && typ == record.ApplicationData {
			e, _ := wire.Parse(plaintext)
			answers = append(answers, e)
		}
	}
	return answers
}

// helloOf is the datagram with a whole HELLO body of at most one part.
func helloOf(body []byte) []byte {
	part := wire.Part{Total: uint16(len(body)), Data: body}
	return wire.Envelope{Kind: wire.KindHello, Body: part.AppendTo(nil)}.AppendTo(nil)
}
