//go:build linux

package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// client is a player who has signed in.
type client struct {
	server         *nakama
	user           string // Nakama's id, not Cognito's
	token, refresh string // Nakama's
}

// signIn presents an identity token to Nakama, as a game's first request does.
func (n *nakama) signIn(t *testing.T, identity string) *client {
	t.Helper()
	a := n.authenticate(t, "custom", map[string]any{"id": identity})
	if a.status != http.StatusOK {
		t.Fatalf("sign-in: %d %s", a.status, a.body)
	}
	c := &client{server: n, token: a.text("token"), refresh: a.text("refresh_token")}
	c.user = claims(t, c.token)["uid"].(string)
	return c
}

// authenticate asks for a session in one of Nakama's ways.
func (n *nakama) authenticate(t *testing.T, way string, account map[string]any) answer {
	t.Helper()
	return post(t, n.api+"/v2/account/authenticate/"+way+"?create=true&username=admin", account, asGame)
}

// post asks something as this player.
func (c *client) post(t *testing.T, path string, v any) answer {
	t.Helper()
	return post(t, c.server.api+path, v, as(c.token))
}

// rpc calls an RPC by HTTP.
func (c *client) rpc(t *testing.T, id, payload string) string {
	t.Helper()
	a := c.post(t, "/v2/rpc/"+id, payload)
	if a.status != http.StatusOK {
		t.Fatalf("%s: %d %s", id, a.status, a.body)
	}
	return a.text("payload")
}

// claims reads a token that the server has signed.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	var c map[string]any
	parts := strings.Split(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// message is what a match has sent, by whichever way.
type message struct {
	op   int64
	data []byte
	from string // user id, where the way says it
}

// inbox is what has come by one way. Its methods are safe for concurrent use.
type inbox struct {
	hook atomic.Pointer[hook] // takes the data of what comes in place of the list, if it is set

	mu  sync.Mutex
	all []message
}

type hook struct{ take func(data []byte) }

func (i *inbox) put(m message) {
	if h := i.hook.Load(); h != nil {
		h.take(m.data)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, m)
}

// list returns all messages of one op code.
func (i *inbox) list(op int64) (found []message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range i.all {
		if m.op == op {
			found = append(found, m)
		}
	}
	return found
}

// has reports whether a message with this op code and data has come.
func (i *inbox) has(op int64, data string) (from string, ok bool) {
	for _, m := range i.list(op) {
		if string(m.data) == data {
			return m.from, true
		}
	}
	return "", false
}
