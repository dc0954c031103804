//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// connectName is the RPC that package nakamabridge documents.
const connectName = "sallyport_connect"

// invitation is that RPC's answer.
type invitation struct {
	Address     string `json:"address"`
	Pin         string `json:"pin"`
	Certificate []byte `json:"certificate"`
	Token       string `json:"token"`
	Match       string `json:"match_id"`
}

// invite asks for an invitation by HTTP, which makes a player who has only UDP.
func (c *client) invite(t *testing.T, match string) invitation {
	t.Helper()
	return read(t, c.rpc(t, connectName, request(t, match)))
}

// invite asks by the socket, which binds the player to it.
func (s *socket) invite(t *testing.T, match string) invitation {
	t.Helper()
	return read(t, s.rpc(t, connectName, request(t, match)))
}

func request(t *testing.T, match string) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"match_id": match})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func read(t *testing.T, payload string) (i invitation) {
	t.Helper()
	if err := json.Unmarshal([]byte(payload), &i); err != nil {
		t.Fatal(err)
	}
	return i
}

// udp is a player's other way into a match.
type udp struct {
	inbox
	*transport.Client
	lanes  bool          // it uses the bridge's lanes
	events chan<- string // takes what comes on lane 2, where there is one
	done   chan struct{} // closed when the session has ended
	err    error         // why, once done is closed
}

// dial accepts an invitation, by a client without lanes.
func (i invitation) dial(t *testing.T) *udp {
	t.Helper()
	return i.enter(t, false)
}

func (i invitation) enter(t *testing.T, lanes bool) *udp {
	t.Helper()
	c, err := i.open(t, lanes)
	if err != nil {
		t.Fatal(err)
	}
	u := &udp{Client: c, lanes: lanes, done: make(chan struct{})}
	go u.read()
	t.Cleanup(func() {
		u.Close() //nolint:errcheck // the server may have ended it
		<-u.done
	})
	return u
}

// try accepts an invitation, trusting only the certificate in it.
func (i invitation) try(t *testing.T) (*transport.Client, error) {
	t.Helper()
	return i.open(t, false)
}

func (i invitation) open(t *testing.T, lanes bool) (*transport.Client, error) {
	t.Helper()
	certificate, err := x509.ParseCertificate(i.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if pin := sha256.Sum256(i.Certificate); hex.EncodeToString(pin[:]) != i.Pin {
		t.Fatal("the pin is not the certificate's")
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return transport.Dial(ctx, i.Address, transport.ClientConfig{
		Token: func(context.Context) ([]byte, error) { return []byte(i.Token), nil }, RootCAs: roots,
		Session: session.ClientConfig{Lanes: lanes},
	})
}

func (u *udp) read() {
	defer close(u.done)
	take := func(b []byte) {
		if op, at := binary.Uvarint(b); at > 0 {
			u.put(message{op: int64(op), data: append([]byte(nil), b[at:]...)})
		}
	}
	u.err = u.Serve(transport.ClientHandler{Receive: take, Message: func(lane int, _ uint64, b []byte) {
		if lane == 2 {
			u.events <- string(b)
			return
		}
		take(b)
	}})
}

// say sends data to the match, reliably if there are lanes.
func (u *udp) say(t *testing.T, op uint64, data string) {
	t.Helper()
	b := append(binary.AppendUvarint(nil, op), data...)
	err := error(nil)
	if u.lanes {
		_, err = u.SendMessage(0, b)
	} else {
		err = u.Send(b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end of the session, and expects that the server gave this reason.
func (u *udp) ends(t *testing.T, reason session.Reason) {
	t.Helper()
	await(t, "the end of UDP", func() bool {
		select {
		case <-u.done:
			return true
		default:
			return false
		}
	})
	closedFor(t, u.err, reason)
}

func closedFor(t *testing.T, err error, reason session.Reason) {
	t.Helper()
	var closed *transport.CloseError
	if !errors.As(err, &closed) || closed.Reason != reason {
		t.Errorf("ended by %v, not by %v", err, reason)
	}
}

// refusesInvitation expects the RPC to refuse, with one of these HTTP statuses.
func (c *client) refusesInvitation(t *testing.T, match string, statuses ...int) {
	t.Helper()
	if a := c.post(t, "/v2/rpc/"+connectName, request(t, match)); !slices.Contains(statuses, a.status) {
		t.Errorf("an invitation to %q: %d %s, want %d", match, a.status, a.body, statuses)
	}
}
